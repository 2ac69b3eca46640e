import com.typesafe.config.*;
import java.io.*;
import java.nio.charset.StandardCharsets;
import java.util.*;

/**
 * Answers what lightbend/config makes of files. A question is a line on standard
 * input: the files of the layers, the highest first, separated by tabs; or "get",
 * a file and a getter's name. The answer is a line: "=" and the tree, in which
 * every scalar is a string that begins with its type; or "!" and the fault.
 */
public class Oracle {
    public static void main(String[] args) throws Exception {
        // A deep tree needs a deep stack.
        Thread t = new Thread(null, () -> {
            try {
                run();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }, "oracle", 512L << 20);
        t.start();
        t.join();
    }

    static void run() throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "US-ASCII");
        for (String line; (line = in.readLine()) != null; ) {
            StringBuilder b = new StringBuilder();
            try {
                answer(line.split("\t"), b);
            } catch (Throwable e) {
                b.setLength(0);
                b.append('!').append(e.getClass().getSimpleName()).append(": ");
                b.append(String.valueOf(e.getMessage()).replace('\n', ' ').replace('\r', ' '));
            }
            out.println(ascii(b));
            out.flush();
        }
    }

    static void answer(String[] words, StringBuilder b) {
        if (words[0].equals("get")) {
            Config c = load(words, 1, 2);
            b.append('=');
            quote(get(c, words[2]), b);
            return;
        }
        Config c = load(words, 0, words.length);
        b.append('=');
        dump(c.root(), b);
    }

    static Config load(String[] files, int from, int to) {
        Config c = ConfigFactory.empty();
        for (int i = from; i < to; i++) {
            c = c.withFallback(ConfigFactory.parseFile(new File(files[i]), ConfigParseOptions.defaults().setAllowMissing(false)));
        }
        return c.resolve();
    }

    static String get(Config c, String getter) {
        switch (getter) {
            case "Bool": return String.valueOf(c.getBoolean("v"));
            case "Int": return String.valueOf(c.getLong("v"));
            case "Float": return String.valueOf(c.getDouble("v"));
            case "Text": return c.getString("v");
            case "Duration": return String.valueOf(c.getDuration("v").toNanos());
            case "Period": return String.valueOf(c.getPeriod("v"));
            case "Bytes": return String.valueOf(c.getBytes("v"));
            case "Strings": return String.join("|", c.getStringList("v"));
        }
        throw new IllegalArgumentException(getter);
    }

    static void dump(ConfigValue v, StringBuilder b) {
        switch (v.valueType()) {
            case OBJECT:
                b.append('{');
                String sep = "";
                for (Map.Entry<String, ConfigValue> e : ((ConfigObject) v).entrySet()) {
                    b.append(sep);
                    sep = ",";
                    quote(e.getKey(), b);
                    b.append(':');
                    dump(e.getValue(), b);
                }
                b.append('}');
                return;
            case LIST:
                b.append('[');
                sep = "";
                for (ConfigValue e : (ConfigList) v) {
                    b.append(sep);
                    sep = ",";
                    dump(e, b);
                }
                b.append(']');
                return;
            case NULL:
                b.append("null");
                return;
            case NUMBER:
                quote("n:" + v.atKey("x").getString("x"), b);
                return;
            case BOOLEAN:
                quote("b:" + v.unwrapped(), b);
                return;
            default:
                quote("s:" + v.unwrapped(), b);
        }
    }

    static void quote(String s, StringBuilder b) {
        b.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c < ' ' || c == '"' || c == '\\' || c > '~') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        b.append('"');
    }

    static String ascii(StringBuilder b) {
        StringBuilder a = new StringBuilder(b.length());
        for (int i = 0; i < b.length(); i++) {
            a.append(b.charAt(i) > '~' ? '?' : b.charAt(i));
        }
        return a.toString();
    }
}
