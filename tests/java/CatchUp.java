import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.format.Json;
import java.io.FileInputStream;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/**
 * Debezium's own engine as a peer of the catch-up: it reads a binlog, hands each change over
 * and does nothing with it. Arguments: a file of its properties; the row changes to wait for,
 * 0 to set its offset and end; `structs` or `json`. Rows of the tables that `peer.tables`
 * names are counted, by their last word.
 */
public class CatchUp {
    private static final long MARK_SECONDS = 12;
    private static final long MAX_SECONDS = 300;

    private final AtomicLong rows = new AtomicLong();
    private final AtomicLong begun = new AtomicLong();
    private final AtomicLong ended = new AtomicLong();
    private final CountDownLatch done = new CountDownLatch(1);
    private final Set<String> tables;
    private final long wanted;

    private CatchUp(Set<String> tables, long wanted) {
        this.tables = tables;
        this.wanted = wanted;
    }

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        try (FileInputStream in = new FileInputStream(args[0])) {
            settings.load(in);
        }
        Set<String> tables = Set.of(((String) settings.remove("peer.tables")).split(","));
        CatchUp peer = new CatchUp(tables, Long.parseLong(args[1]));
        DebeziumEngine<?> engine =
            args[2].equals("json") ? peer.json(settings) : peer.structs(settings);
        ExecutorService thread = Executors.newSingleThreadExecutor();
        thread.execute(engine);
        if (peer.wanted == 0) {
            Thread.sleep(MARK_SECONDS * 1000);
        } else if (!peer.done.await(MAX_SECONDS, TimeUnit.SECONDS)) {
            System.err.println(peer.rows.get() + " of " + peer.wanted + " rows in time");
        }
        long nanos = peer.ended.get() - peer.begun.get();
        System.out.println("rows " + peer.rows.get() + " ms " + nanos / 1_000_000);
        engine.close();
        thread.shutdownNow();
        System.exit(peer.wanted <= peer.rows.get() ? 0 : 1);
    }

    private DebeziumEngine<?> structs(Properties settings) {
        return counted(DebeziumEngine.create(Connect.class), settings, event -> event.value().topic());
    }

    private DebeziumEngine<?> json(Properties settings) {
        return counted(DebeziumEngine.create(Json.class), settings, ChangeEvent::destination);
    }

    private <R> DebeziumEngine<?> counted(
        DebeziumEngine.Builder<ChangeEvent<R, R>> engine,
        Properties settings,
        Function<ChangeEvent<R, R>, String> topic) {
        return engine.using(settings).notifying((batch, committer) -> {
            begins();
            for (ChangeEvent<R, R> event : batch) {
                committer.markProcessed(event);
                count(topic.apply(event));
            }
            committer.markBatchFinished();
            ends();
        }).build();
    }

    private void begins() {
        begun.compareAndSet(0, System.nanoTime());
    }

    private void count(String topic) {
        if (tables.contains(topic.substring(topic.lastIndexOf('.') + 1))) {
            rows.incrementAndGet();
        }
    }

    private void ends() {
        ended.set(System.nanoTime());
        if (wanted > 0 && rows.get() >= wanted) {
            done.countDown();
        }
    }
}
