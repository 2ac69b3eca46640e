import java.io.FileOutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Stands for a Corda node, which cannot be had here: it has the ports of its node.conf, says what a node says once it
 * has started, and writes its epoch into a journal in artemis, where a node's broker has its own.
 */
class Node {
    public static void main(String[] args) throws Exception {
        for (String needed : new String[] {"node.conf", "network-parameters", "certificates/nodekeystore.jks"}) {
            if (!Files.exists(Path.of(needed))) {
                System.err.println("no " + needed);
                System.exit(1);
            }
        }
        InetAddress own = InetAddress.getByName(System.getenv("NODE_MACHINE_ADDRESS"));
        try (ServerSocket p2p = new ServerSocket(10002);
             ServerSocket rpc = new ServerSocket(10003, 50, own);
             ServerSocket admin = new ServerSocket(10103, 50, own);
             FileOutputStream journal = new FileOutputStream("artemis/journal", true)) {
            journal.write((System.getenv("HOTCOLD_EPOCH") + "\n").getBytes());
            journal.getFD().sync();
            System.out.println("Node for \"Corda HA\" started up and registered in 0.1 sec");
            while (true) {
                p2p.accept().close();
            }
        }
    }
}
