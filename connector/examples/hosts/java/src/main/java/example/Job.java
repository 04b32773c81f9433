package example;

import com.google.protobuf.Struct;
import com.google.protobuf.util.JsonFormat;
import com.google.protobuf.util.Timestamps;
import io.grpc.Status;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Predicate;
import sluice.connector.v1.AnswerOuterClass.Answer;
import sluice.connector.v1.ConnectionOuterClass.ConnectRequest;
import sluice.connector.v1.ConnectionOuterClass.Connection;
import sluice.connector.v1.Inbound.InboundSync;
import sluice.connector.v1.Inbound.StreamSelection;
import sluice.connector.v1.ManifestOuterClass.ManifestRequest;
import sluice.connector.v1.ManifestOuterClass.Strategy;
import sluice.connector.v1.Outbound.OutboundSync;
import sluice.connector.v1.Outcome.OutcomeStatus;
import sluice.connector.v1.Record.ColumnValues;
import sluice.connector.v1.Record.RecordBatch;
import sluice.connector.v1.SchemaOuterClass.Column;
import sluice.connector.v1.SchemaOuterClass.Kind;
import sluice.connector.v1.SchemaOuterClass.LogicalType;
import sluice.connector.v1.SchemaOuterClass.Schema;
import sluice.connector.v1.StreamOuterClass.ReadMode;
import sluice.connector.v1.TicketOuterClass.Ticket;
import sluice.connector.v1.TicketOuterClass.TicketState;

/**
 * What this host is asked to do: write companies to Zoho CRM, read them back,
 * stop in the midst of a job, and go on.
 *
 * <pre>
 * java -cp 'target/classes:target/lib/*' example.Job --simulator FILE --launch PROGRAM [--plaintext]
 * java -cp 'target/classes:target/lib/*' example.Job --simulator FILE --dial HOST:PORT --ca FILE --token-file FILE
 * </pre>
 *
 * FILE is the line that zohosim --json prints.
 */
final class Job {
    private static final List<String> COLUMNS = List.of("External_Key", "Account_Name", "Description");
    private static final int COUNT = 3000, PER_BATCH = 250, PER_JOB = 1000;
    private static final Predicate<Ticket> NEVER = ticket -> false;
    private static final Predicate<Ticket> SUBMITTED = ticket -> ticket.getState() == TicketState.TICKET_STATE_SUBMITTED;

    private final Reached connector;
    private final Connection.Builder connection;
    private final FileChannel journal;

    private Job(Reached connector, Map<String, String> simulator, FileChannel journal) {
        this.connector = connector;
        this.journal = journal;
        connection = Connection.newBuilder().setId("crm").setMethod("self_client")
            .addAllAnswers(answers("data_center", "US", "client_id", simulator.get("client_id"), "endpoint_url", simulator.get("base_url")))
            .addAllSecrets(answers("client_secret", simulator.get("client_secret"), "refresh_token", simulator.get("refresh_token")));
    }

    private static List<Answer> answers(String... fieldsAndValues) {
        var answers = new ArrayList<Answer>();
        for (int i = 0; i < fieldsAndValues.length; i += 2) {
            answers.add(Answer.newBuilder().setField(fieldsAndValues[i]).addValues(fieldsAndValues[i + 1]).build());
        }
        return answers;
    }

    /** 3,000 companies by record number; each thousandth has no name, which Zoho does not take. */
    private static NavigableMap<Long, Map<String, String>> companies(String version) {
        var records = new TreeMap<Long, Map<String, String>>();
        for (long n = 1; n <= COUNT; n++) {
            var row = new HashMap<String, String>();
            row.put("External_Key", "C%05d".formatted(n));
            row.put("Account_Name", n % 1000 == 0 ? null : "Company \"%d\", Ångström & Söhne".formatted(n));
            row.put("Description", version);
            records.put(n, row);
        }
        return records;
    }

    private static Map<String, Map<String, String>> inApp(NavigableMap<Long, Map<String, String>> records) {
        var rows = new HashMap<String, Map<String, String>>();
        records.values().stream().filter(row -> row.get("Account_Name") != null).forEach(row -> rows.put(row.get("External_Key"), row));
        return rows;
    }

    private static List<RecordBatch> cut(NavigableMap<Long, Map<String, String>> records, Set<Long> only, String action, String ticket) {
        var batches = new ArrayList<RecordBatch>();
        var seqs = new ArrayList<>(records.keySet());
        seqs.retainAll(only);
        for (int i = 0; i < seqs.size(); i += PER_BATCH) {
            batches.add(batch(records, seqs.subList(i, Math.min(i + PER_BATCH, seqs.size())), action, ticket));
        }
        return batches;
    }

    private static RecordBatch batch(Map<Long, Map<String, String>> records, List<Long> seqs, String action, String ticket) {
        var batch = RecordBatch.newBuilder().setSchemaId("s1").setAction(action).setTicketId(ticket).setRows(seqs.size()).addAllSeqs(seqs);
        seqs.forEach(seq -> batch.addIdentifiers(records.get(seq).get(COLUMNS.get(0))));
        for (var column : COLUMNS) {
            var values = ColumnValues.newBuilder();
            for (int row = 0; row < seqs.size(); row++) {
                var text = records.get(seqs.get(row)).get(column);
                values.addTexts(text == null ? "" : text);
                if (text == null) {
                    values.addNulls(row);
                }
            }
            batch.addColumns(values);
        }
        return batch.build();
    }

    private void write(Ticket ticket) throws Exception {
        var line = JsonFormat.printer().omittingInsignificantWhitespace().print(ticket) + "\n";
        journal.write(ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8)));
        journal.force(false);
    }

    private void connect() {
        var manifest = connector.blocking().manifest(ManifestRequest.getDefaultInstance()).getManifest();
        var connected = connector.blocking().connect(ConnectRequest.newBuilder().setConnection(connection).build());
        connection.addAllParameters(connected.getParametersList()); // and secrets, which replace those of the same name
        System.out.printf("%s %s, connected to %s%n", manifest.getName(), manifest.getVersion(), connected.getAccount());
    }

    private Writing write(String run, List<RecordBatch> batches, List<Ticket> tickets, Predicate<Ticket> stopAt, Duration patience) throws Exception {
        var schema = Schema.newBuilder().setId("s1");
        COLUMNS.forEach(name -> schema.addColumns(Column.newBuilder().setName(name).setType(LogicalType.newBuilder().setKind(Kind.KIND_STRING))));
        var sync = OutboundSync.newBuilder().setSyncId("companies").setRunId(run).setKeepsTickets(true).setRecords(COUNT).addAllTickets(tickets)
            .setStrategy(Strategy.newBuilder().setName("Upsert").setOnNew("Create").setOnChanged("Update"))
            .addAllAnswers(answers("module", "Accounts", "unique_field", "External_Key", "path", "bulk", "batch_size", String.valueOf(PER_JOB)))
            .addAllMapping(schema.getColumnsList());
        var began = System.nanoTime();
        var result = new Writing(batches, this::write, stopAt, patience).run(connector.service(), connection.build(), sync.build(), schema.build());
        var seconds = (System.nanoTime() - began) / 1e9;
        System.out.printf("run %s: %s after %.1f s: %s, open tickets: %d%n", run, result.code, seconds, result.counts(), result.tickets.size());
        check(result.outcomes.size() <= COUNT && seconds < 30, "it took too long");
        check(stopAt == NEVER || seconds < 10, "it did not stop within seconds");
        return result;
    }

    /** Reads Accounts in full; rows and state would go into one transaction. */
    private Map<String, Map<String, String>> read() throws Exception {
        var stored = new ArrayList<Map<String, String>>();
        var sync = InboundSync.newBuilder().setSyncId("accounts").setRunId("in").setAcksCheckpoints(true)
            .setStartedAt(Timestamps.fromMillis(System.currentTimeMillis()))
            .addStreams(StreamSelection.newBuilder().setName("Accounts").setMode(ReadMode.READ_MODE_FULL_REFRESH).addAllFields(COLUMNS));
        var reading = new Reading((stream, rows, state) -> stored.addAll(rows)).run(connector.service(), connection.build(), sync.build());
        check(reading.failed.isEmpty(), reading.failed.toString());
        var rows = new HashMap<String, Map<String, String>>();
        for (var row : stored) {
            row.keySet().retainAll(COLUMNS);
            rows.put(row.get("External_Key"), row);
        }
        System.out.printf("read %d rows of Accounts, %d keys%n", stored.size(), rows.size());
        check(rows.size() == stored.size(), "a row was read twice");
        return rows;
    }

    private static void check(boolean so, String otherwise) {
        if (!so) {
            throw new IllegalStateException(otherwise);
        }
    }

    private void run() throws Exception {
        connect();

        // Write all, and read back what was written.
        var one = companies("one");
        var result = write("1", cut(one, one.keySet(), "Create", ""), List.of(), NEVER, Duration.ZERO);
        check(result.counts().equals(Map.of(OutcomeStatus.OUTCOME_STATUS_SUCCEEDED, COUNT - 3, OutcomeStatus.OUTCOME_STATUS_REJECTED, 3)), "other outcomes");
        System.out.println("for instance: " + result.reasons.get(1000L).getError().getMessage());
        check(result.tickets.isEmpty() && read().equals(inApp(one)), "the app's content is not what was written");

        // Stop when the first job is submitted; the connector ends by itself.
        var two = companies("two");
        result = write("2", cut(two, two.keySet(), "Update", ""), List.of(), SUBMITTED, Duration.ofSeconds(5));
        check(result.code == Status.Code.OK && result.outcomes.size() == COUNT && !result.tickets.isEmpty(), "nothing was left to do");

        // Go on where it was: tickets that were submitted are handed back, with their records first.
        var left = new TreeMap<>(result.outcomes);
        left.values().removeIf(status -> status != OutcomeStatus.OUTCOME_STATUS_DELAYED && status != OutcomeStatus.OUTCOME_STATUS_RETRY);
        var tickets = result.tickets.values().stream().filter(SUBMITTED).toList();
        var batches = new ArrayList<RecordBatch>();
        for (var ticket : tickets) {
            var held = left.keySet().stream().filter(seq -> Writing.holds(ticket, seq)).collect(java.util.stream.Collectors.toSet());
            batches.addAll(cut(two, held, "Update", ticket.getId()));
            left.keySet().removeAll(held);
        }
        batches.addAll(cut(two, left.keySet(), "Update", ""));
        result = write("2", batches, tickets, NEVER, Duration.ZERO);
        var ends = Set.of(OutcomeStatus.OUTCOME_STATUS_SUCCEEDED, OutcomeStatus.OUTCOME_STATUS_REJECTED);
        check(result.tickets.isEmpty() && ends.containsAll(result.counts().keySet()), "something was left");
        check(read().equals(inApp(two)), "the app's content is not what was written");

        // Cancel without patience: what became of the records is told by the journal.
        var three = companies("three");
        result = write("3", cut(three, three.keySet(), "Update", ""), List.of(), SUBMITTED, Duration.ZERO);
        check(result.code == Status.Code.CANCELLED && result.outcomes.size() == COUNT, "it was not cancelled, or records are not accounted for");
    }

    public static void main(String[] args) throws Exception {
        var flags = new HashMap<String, String>();
        for (int i = 0; i < args.length; i++) {
            flags.put(args[i], i + 1 < args.length ? args[i + 1] : "");
        }
        var line = Struct.newBuilder();
        JsonFormat.parser().merge(Files.readString(Path.of(flags.get("--simulator"))), line);
        var simulator = new HashMap<String, String>();
        line.getFieldsMap().forEach((name, value) -> simulator.put(name, value.getStringValue()));
        var file = Files.createTempFile("journal", ".ndjson");
        try (var journal = FileChannel.open(file, StandardOpenOption.APPEND);
            var connector = flags.containsKey("--launch")
                ? Reached.launch(Path.of(flags.get("--launch")), !flags.containsKey("--plaintext"))
                : Reached.dial(flags.get("--dial"), Path.of(flags.get("--ca")), Files.readString(Path.of(flags.get("--token-file"))).strip())) {
            new Job(connector, simulator, journal).run();
        } finally {
            Files.delete(file);
        }
        System.out.println("ok");
    }
}
