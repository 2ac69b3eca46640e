import java.io.*;
import java.lang.reflect.*;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.logging.*;

/**
 * Answers what a JDBC driver makes of addresses and of the properties of data sources. The driver is named by the
 * first argument and found on the class path by reflection, so that one file serves all of them. A question is a line
 * on standard input, with tabs between its words: "url" and an address; or "parts", a class, and properties as
 * name=value, which are set as HikariCP does. The answer is a line: "=" and an object of texts in JSON; or "!" and
 * the fault. Nothing is connected to.
 */
public class Drivers {
    interface Reader {
        void url(String url, Map<String, String> answer) throws Throwable;
    }

    public static void main(String[] args) throws Exception {
        LogManager.getLogManager().reset();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), false, "US-ASCII");
        Reader reader = reader(args[0]);
        for (String line; (line = in.readLine()) != null; ) {
            out.println(answer(reader, line.split("\t", -1)));
            out.flush();
        }
    }

    static Reader reader(String driver) {
        switch (driver) {
            case "postgresql": return Drivers::postgresql;
            case "mariadb2": return Drivers::mariadb2;
            case "mariadb3": return Drivers::mariadb3;
            case "mysql": return Drivers::mysql;
            case "sqlserver": return Drivers::sqlserver;
            case "oracle": return Drivers::oracle;
        }
        throw new IllegalArgumentException(driver);
    }

    static String answer(Reader reader, String[] words) {
        Map<String, String> found = new TreeMap<>();
        try {
            if (words[0].equals("url")) {
                reader.url(words[1], found);
            } else {
                parts(reader, words, found);
            }
        } catch (Throwable e) {
            while (e instanceof InvocationTargetException && e.getCause() != null) {
                e = e.getCause();
            }
            return "!" + ascii(e.getClass().getSimpleName() + ": " + e.getMessage());
        }
        StringBuilder b = new StringBuilder("={");
        for (Map.Entry<String, String> e : found.entrySet()) {
            if (e.getValue() != null) {
                b.append(b.length() > 2 ? "," : "").append('"').append(ascii(e.getKey())).append("\":\"").append(ascii(e.getValue())).append('"');
            }
        }
        return b.append('}').toString();
    }

    // ---- the drivers

    static void postgresql(String url, Map<String, String> a) throws Throwable {
        Properties p = (Properties) call(Class.forName("org.postgresql.Driver"), null, "parseURL", url, new Properties());
        if (p == null) {
            throw new IllegalArgumentException("no address of this driver");
        }
        String[] hosts = p.getProperty("PGHOST").split(","), ports = p.getProperty("PGPORT").split(",");
        StringJoiner places = new StringJoiner(",");
        for (int i = 0; i < hosts.length; i++) {
            places.add(hosts[i] + ":" + ports[i]);
        }
        a.put("hosts", places.toString());
        a.put("database", p.getProperty("PGDBNAME"));
        for (String name : new String[] {"user", "password", "currentSchema", "targetServerType", "sslrootcert", "sslcert", "options"}) {
            a.put(name, p.getProperty(name));
        }
        a.put("tls", ((Enum<?>) call(Class.forName("org.postgresql.jdbc.SslMode"), null, "of", p)).name());
    }

    static void mariadb2(String url, Map<String, String> a) throws Throwable {
        Object parser = call(Class.forName("org.mariadb.jdbc.UrlParser"), null, "parse", url);
        if (parser == null) {
            throw new IllegalArgumentException("no address of this driver");
        }
        addresses((List<?>) call(parser.getClass(), parser, "getHostAddresses"), a);
        a.put("database", (String) call(parser.getClass(), parser, "getDatabase"));
        a.put("user", (String) call(parser.getClass(), parser, "getUsername"));
        a.put("password", (String) call(parser.getClass(), parser, "getPassword"));
        Object options = call(parser.getClass(), parser, "getOptions");
        boolean tls = Boolean.TRUE.equals(field(options, "useSsl"));
        a.put("tls", !tls ? "DISABLE" : Boolean.TRUE.equals(field(options, "trustServerCertificate")) ? "TRUST"
            : Boolean.TRUE.equals(field(options, "disableSslHostnameVerification")) ? "VERIFY_CA" : "VERIFY_FULL");
        a.put("serverSslCert", (String) field(options, "serverSslCert"));
        a.put("localSocket", (String) field(options, "localSocket"));
    }

    static void mariadb3(String url, Map<String, String> a) throws Throwable {
        Object c = call(Class.forName("org.mariadb.jdbc.Configuration"), null, "parse", url);
        if (c == null) {
            throw new IllegalArgumentException("no address of this driver");
        }
        addresses((List<?>) call(c.getClass(), c, "addresses"), a);
        for (String name : new String[] {"database", "user", "password", "serverSslCert", "localSocket"}) {
            a.put(name, (String) call(c.getClass(), c, name));
        }
        a.put("tls", ((Enum<?>) call(c.getClass(), c, "sslMode")).name());
    }

    static void addresses(List<?> list, Map<String, String> a) throws Throwable {
        StringJoiner places = new StringJoiner(",");
        for (Object one : list) {
            places.add(field(one, "host") + ":" + field(one, "port"));
        }
        a.put("hosts", places.toString());
    }

    /** What a data source of MySQL gives its driver beside the address. */
    static Properties supplied = new Properties();

    static void mysql(String url, Map<String, String> a) throws Throwable {
        Class<?> c = Class.forName("com.mysql.cj.conf.ConnectionUrl");
        Object u = call(c, null, "getConnectionUrlInstance", url, supplied);
        StringJoiner places = new StringJoiner(",");
        StringJoiner users = new StringJoiner(","), passwords = new StringJoiner(",");
        for (Object host : (List<?>) call(c, u, "getHostsList")) {
            places.add(call(host.getClass(), host, "getHost") + ":" + call(host.getClass(), host, "getPort"));
            users.add((String) call(host.getClass(), host, "getUser"));
            passwords.add((String) call(host.getClass(), host, "getPassword"));
        }
        Object main = call(c, u, "getMainHost");
        a.put("hosts", places.toString());
        a.put("users", users.toString());
        a.put("passwords", passwords.toString());
        a.put("database", (String) call(c, u, "getDatabase"));
        a.put("user", (String) call(main.getClass(), main, "getUser"));
        a.put("password", (String) call(main.getClass(), main, "getPassword"));
        Object set = Class.forName("com.mysql.cj.jdbc.JdbcPropertySetImpl").getDeclaredConstructor().newInstance();
        call(set.getClass(), set, "initializeProperties", call(main.getClass(), main, "exposeAsProperties"));
        Object mode = call(set.getClass(), set, "getEnumProperty", "sslMode");
        a.put("tls", ((Enum<?>) call(mode.getClass(), mode, "getValue")).name());
    }

    static void sqlserver(String url, Map<String, String> a) throws Throwable {
        Class<?> c = Class.forName("com.microsoft.sqlserver.jdbc.Util");
        Properties p = (Properties) call(c, null, "parseUrl", url, Logger.getLogger("drivers"));
        if (p == null) {
            throw new IllegalArgumentException("no address of this driver");
        }
        for (String name : p.stringPropertyNames()) {
            a.put(name.toLowerCase(Locale.ROOT), p.getProperty(name));
        }
    }

    static void oracle(String url, Map<String, String> a) throws Throwable {
        Hashtable<?, ?> login = (Hashtable<?, ?>) call(Class.forName("oracle.jdbc.driver.PhysicalConnection"), null, "parseUrl", url);
        a.put("user", (String) login.get("user"));
        a.put("password", (String) login.get("password"));
        String place = (String) login.get("database");
        Class<?> ez = Class.forName("oracle.net.resolver.EZConnectResolver");
        Object easy = call(ez, null, "newInstance", place);
        String resolved = (String) call(ez, easy, "getResolvedUrl");
        Class<?> c = Class.forName("oracle.net.resolver.AddrResolution");
        Object quiet = call(Class.forName("oracle.jdbc.diagnostics.CommonDiagnosable"), null, "getInstance");
        Constructor<?> longest = Arrays.stream(c.getConstructors()).max(Comparator.comparingInt(Constructor::getParameterCount)).get();
        // No name is looked up: each has the one address that stands for nothing.
        Class<?> names = Class.forName("oracle.jdbc.OracleHostnameResolver");
        Object known = Proxy.newProxyInstance(names.getClassLoader(), new Class<?>[] {names},
            (self, method, given) -> new InetAddress[] {InetAddress.getByAddress((String) given[0], new byte[] {(byte) 192, 0, 2, 1})});
        Object[] arguments = Arrays.stream(longest.getParameterTypes())
            .map(type -> type == String.class ? resolved : type == Properties.class ? new Properties() : type == names ? known : type.isInstance(quiet) ? quiet : null).toArray();
        Object r = longest.newInstance(arguments);
        call(c, r, "initConnStrategy", resolved);
        StringJoiner places = new StringJoiner(",");
        Set<String> services = new TreeSet<>(), sids = new TreeSet<>(), protocols = new TreeSet<>();
        Object strategy = call(c, r, "getConnStrategy");
        for (Object description : (List<?>) call(strategy.getClass(), strategy, "getAllDescriptions")) {
            for (Object option : (List<?>) call(description.getClass(), description, "getConnectOptions")) {
                places.add(field(option, "host") + ":" + field(option, "port"));
                services.add(String.valueOf(field(option, "service_name")));
                sids.add(String.valueOf(field(option, "sid")));
                protocols.add(String.valueOf(field(option, "protocol")).toLowerCase(Locale.ROOT));
                a.put("data", String.valueOf(field(option, "conn_data")));
            }
        }
        a.put("hosts", places.toString());
        a.put("services", String.join(",", services));
        a.put("sids", String.join(",", sids));
        a.put("protocols", String.join(",", protocols));
        a.put("resolved", resolved);
    }

    // ---- data sources

    /** Sets the properties in their order, by HikariCP's rule, and reads the address that comes of them. */
    static void parts(Reader reader, String[] words, Map<String, String> a) throws Throwable {
        Object source = Class.forName(words[1]).getDeclaredConstructor().newInstance();
        for (int i = 2; i < words.length; i++) {
            String[] pair = words[i].split("=", 2);
            Method setter = setter(source.getClass(), "set" + pair[0].substring(0, 1).toUpperCase(Locale.ENGLISH) + pair[0].substring(1));
            if (setter == null) {
                setter = setter(source.getClass(), "set" + pair[0].toUpperCase(Locale.ENGLISH));
            }
            if (setter == null) {
                throw new NoSuchMethodException(pair[0]);
            }
            setter.invoke(source, converted(setter.getParameterTypes()[0], pair[1]));
        }
        for (String name : new String[] {"User", "Password"}) {
            try {
                a.put("get" + name, String.valueOf(call(source.getClass(), source, "get" + name)));
            } catch (NoSuchMethodException e) {
                // Not every data source has it.
            }
        }
        String url = address(source);
        a.put("url", url);
        if (source.getClass().getName().startsWith("com.mysql.")) {
            supplied = (Properties) call(source.getClass(), source, "exposeAsProperties");
        }
        reader.url(url, a);
        if (source.getClass().getName().startsWith("com.microsoft.")) { // whose address holds nothing of it
            Properties merged = (Properties) call(Class.forName("com.microsoft.sqlserver.jdbc.SQLServerDriver"), null,
                "mergeURLAndSuppliedProperties", call(Class.forName("com.microsoft.sqlserver.jdbc.Util"), null,
                "parseUrl", url, Logger.getLogger("drivers")), field(source, "connectionProps"));
            for (String name : merged.stringPropertyNames()) {
                a.put(name.toLowerCase(Locale.ROOT), merged.getProperty(name));
            }
        }
    }

    /** The address of a data source: some tell it under another name, and MariaDB's before 3 tell none. */
    static String address(Object source) throws Throwable {
        if (source.getClass().getName().equals("org.mariadb.jdbc.MariaDbDataSource") && !has(source, "getUrl")) {
            call(source.getClass(), source, "initialize");
            Object parser = call(source.getClass(), source, "getUrlParser");
            return (String) call(parser.getClass(), parser, "getInitialUrl");
        }
        return (String) call(source.getClass(), source, has(source, "getUrl") ? "getUrl" : "getURL");
    }

    static boolean has(Object o, String name) {
        return Arrays.stream(o.getClass().getMethods()).anyMatch(m -> m.getName().equals(name));
    }

    static Method setter(Class<?> c, String name) {
        Method found = null;
        for (Method m : c.getMethods()) {
            if (m.getName().equals(name) && m.getParameterCount() == 1 && (found == null || m.getParameterTypes()[0] == String.class)) {
                found = m;
            }
        }
        return found;
    }

    static Object converted(Class<?> type, String text) {
        if (type == int.class) {
            return Integer.parseInt(text);
        }
        if (type == boolean.class) {
            return Boolean.parseBoolean(text);
        }
        if (type == String[].class) {
            return text.split(",");
        }
        if (type == int[].class) {
            return Arrays.stream(text.split(",")).mapToInt(Integer::parseInt).toArray();
        }
        return text;
    }

    // ---- reflection

    /** Calls the method of that name, wherever it is declared, that takes these arguments. */
    static Object call(Class<?> c, Object on, String name, Object... arguments) throws Throwable {
        for (Class<?> k = c; k != null; k = k.getSuperclass()) {
            for (Method m : k.getDeclaredMethods()) {
                if (m.getName().equals(name) && takes(m, arguments)) {
                    m.setAccessible(true);
                    return m.invoke(on, arguments);
                }
            }
        }
        for (Method m : c.getMethods()) {
            if (m.getName().equals(name) && takes(m, arguments)) {
                m.setAccessible(true);
                return m.invoke(on, arguments);
            }
        }
        throw new NoSuchMethodException(c.getName() + "." + name);
    }

    static boolean takes(Method m, Object[] arguments) {
        Class<?>[] types = m.getParameterTypes();
        if (types.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            if (arguments[i] != null && !types[i].isInstance(arguments[i])) {
                return false;
            }
        }
        return true;
    }

    static Object field(Object o, String name) throws Throwable {
        for (Class<?> k = o.getClass(); k != null; k = k.getSuperclass()) {
            try {
                Field f = k.getDeclaredField(name);
                f.setAccessible(true);
                return f.get(o);
            } catch (NoSuchFieldException e) {
                // It may be a superclass's.
            }
        }
        throw new NoSuchFieldException(name);
    }

    static String ascii(String s) {
        StringBuilder b = new StringBuilder();
        for (char c : String.valueOf(s).toCharArray()) {
            if (c < ' ' || c == '"' || c == '\\' || c > '~') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.toString();
    }
}
