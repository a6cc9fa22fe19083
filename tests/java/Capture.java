import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Debezium's own engine, writing what a connector on Kafka Connect would write: each
 * change event to the topic that it names. The argument is a file of its properties.
 */
public class Capture {
    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        try (FileInputStream in = new FileInputStream(args[0])) {
            settings.load(in);
        }
        Properties kafka = new Properties();
        kafka.put("bootstrap.servers", settings.remove("sluice.brokers"));
        kafka.put("acks", "all");
        kafka.put("enable.idempotence", "true");
        kafka.put("linger.ms", "0");
        KafkaProducer<String, String> producer =
            new KafkaProducer<>(kafka, new StringSerializer(), new StringSerializer());
        DebeziumEngine<ChangeEvent<String, String>> engine = DebeziumEngine.create(Json.class)
            .using(settings)
            .using((ok, message, error) -> {
                System.err.println("ended: " + ok + " " + message);
                if (error != null) {
                    error.printStackTrace();
                }
                // Whoever started it sees that it is gone.
                System.exit(ok ? 0 : 1);
            })
            .notifying((batch, committer) -> {
                List<Future<RecordMetadata>> sent = new ArrayList<>();
                for (ChangeEvent<String, String> event : batch) {
                    sent.add(producer.send(new ProducerRecord<>(event.destination(), event.key(), event.value())));
                }
                for (int at = 0; at < sent.size(); at++) {
                    try {
                        sent.get(at).get();
                    } catch (java.util.concurrent.ExecutionException error) {
                        throw new RuntimeException(error);
                    }
                    committer.markProcessed(batch.get(at));
                }
                committer.markBatchFinished();
            })
            .build();
        engine.run();
    }
}
