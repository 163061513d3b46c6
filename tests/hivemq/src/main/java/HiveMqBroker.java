import com.hivemq.embedded.EmbeddedExtension;
import com.hivemq.embedded.EmbeddedHiveMQ;
import com.hivemq.extension.sdk.api.ExtensionMain;
import com.hivemq.extension.sdk.api.auth.SimpleAuthenticator;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStartOutput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopInput;
import com.hivemq.extension.sdk.api.parameter.ExtensionStopOutput;
import com.hivemq.extension.sdk.api.services.Services;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * HiveMQ CE in a process of its own, until SIGTERM. Arguments: the loopback port and a folder, which keeps its state.
 *
 * It prints "HiveMQ is ready" once it listens. Whoever reaches the port is let in: HiveMQ CE refuses everybody until an
 * extension says otherwise.
 */
public final class HiveMqBroker {

    private HiveMqBroker() {}

    public static void main(String[] arguments) throws Exception {
        int port = Integer.parseInt(arguments[0]);
        Path folder = Path.of(arguments[1]).toAbsolutePath();
        Path configuration = Files.createDirectories(folder.resolve("conf"));
        Path data = Files.createDirectories(folder.resolve("data"));
        Path extensions = Files.createDirectories(folder.resolve("extensions"));
        Files.writeString(configuration.resolve("config.xml"), config(port));

        EmbeddedHiveMQ broker = EmbeddedHiveMQ.builder()
            .withConfigurationFolder(configuration)
            .withDataFolder(data)
            .withExtensionsFolder(extensions)
            .withEmbeddedExtension(EmbeddedExtension.builder()
                .withId("open-to-all")
                .withName("Open to all on loopback")
                .withVersion("1")
                .withExtensionMain(new OpenToAll())
                .build())
            .build();
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(broker, main)));
        broker.start().join();
        System.out.println("HiveMQ is ready on 127.0.0.1:" + port);
        main.join(); // until the shutdown hook
    }

    private static void stop(EmbeddedHiveMQ broker, Thread main) {
        try {
            broker.stop().join();
        } finally {
            main.interrupt();
        }
    }

    /** What it says beside the defaults is what ingest needs of any broker: docs/how-to/another-broker.md. */
    private static String config(int port) {
        return String.join("\n",
            "<hivemq>",
            "  <listeners><tcp-listener>",
            "    <port>" + port + "</port><bind-address>127.0.0.1</bind-address>",
            "  </tcp-listener></listeners>",
            "  <mqtt>",
            // 1000 by default, and what comes beyond it is dropped without a word to whoever sent it
            "    <queued-messages><max-queue-size>1000000</max-queue-size></queued-messages>",
            "    <packets><max-packet-size>2621440</max-packet-size></packets>",
            "  </mqtt>",
            "  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>",
            "  <persistence><mode>file</mode></persistence>",
            "</hivemq>",
            "");
    }

    private static final class OpenToAll implements ExtensionMain {

        @Override
        public void extensionStart(ExtensionStartInput input, ExtensionStartOutput output) {
            SimpleAuthenticator everybody = (who, answer) -> answer.authenticateSuccessfully();
            Services.securityRegistry().setAuthenticatorProvider(provider -> everybody);
        }

        @Override
        public void extensionStop(ExtensionStopInput input, ExtensionStopOutput output) {
            // nothing is held
        }
    }
}
