package example;

import com.google.protobuf.util.Timestamps;
import io.grpc.Status;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import sluice.connector.v1.ConnectionOuterClass.Connection;
import sluice.connector.v1.ConnectorServiceGrpc.ConnectorServiceStub;
import sluice.connector.v1.Outbound.EndOfRecords;
import sluice.connector.v1.Outbound.OutboundStart;
import sluice.connector.v1.Outbound.OutboundSync;
import sluice.connector.v1.Outbound.SyncOutboundRequest;
import sluice.connector.v1.Outbound.SyncOutboundResponse;
import sluice.connector.v1.Outbound.TicketRecordsEnd;
import sluice.connector.v1.Outcome.OutcomeStatus;
import sluice.connector.v1.Outcome.Outcomes;
import sluice.connector.v1.Outcome.RowOutcome;
import sluice.connector.v1.ProgressOuterClass.Stop;
import sluice.connector.v1.ProgressOuterClass.StopMode;
import sluice.connector.v1.Record.RecordBatch;
import sluice.connector.v1.SchemaOuterClass.Schema;
import sluice.connector.v1.TicketOuterClass.Ticket;
import sluice.connector.v1.TicketOuterClass.TicketAck;
import sluice.connector.v1.TicketOuterClass.TicketState;

/** Writes batches of records, and keeps what became of each. */
final class Writing extends Conversation<SyncOutboundRequest, SyncOutboundResponse> {
    /** Keeps tickets. */
    interface Journal {
        /** Returns when the ticket is durable. */
        void write(Ticket ticket) throws Exception;
    }

    /** By record number, what became of it. */
    final Map<Long, OutcomeStatus> outcomes = new TreeMap<>();
    /** By record number, why one did not succeed. */
    final Map<Long, RowOutcome> reasons = new TreeMap<>();
    /** The tickets that are not DONE. */
    final Map<String, Ticket> tickets = new LinkedHashMap<>();
    /** How the call ended. */
    Status.Code code;

    private final Deque<RecordBatch> batches;
    private final Set<Long> waiting = new HashSet<>(); // records without an outcome
    private final Set<Long> sent = new HashSet<>();
    private final Deque<String> returned = new ArrayDeque<>(); // tickets handed back, the end of their records not said
    private final Journal journal;
    private final Predicate<Ticket> stopAt;
    private final Duration patience;
    private boolean stopping;
    private boolean toldAll;

    /**
     * @param stopAt says at a ticket that the run is to stop; the connector then has patience to end
     */
    Writing(Collection<RecordBatch> batches, Journal journal, Predicate<Ticket> stopAt, Duration patience) {
        this.batches = new ArrayDeque<>(batches);
        this.journal = journal;
        this.stopAt = stopAt;
        this.patience = patience;
        batches.forEach(batch -> waiting.addAll(batch.getSeqsList()));
    }

    /** Runs to the end; then every record has an outcome. */
    Writing run(ConnectorServiceStub service, Connection connection, OutboundSync sync, Schema schema) throws Exception {
        sync.getTicketsList().forEach(ticket -> returned.add(ticket.getId()));
        service.syncOutbound(this);
        code = hold(List.of(
            SyncOutboundRequest.newBuilder().setStart(OutboundStart.newBuilder().setConnection(connection).setSync(sync)).build(),
            SyncOutboundRequest.newBuilder().setSchema(schema).build())).getCode();
        var lost = sent.stream().filter(waiting::contains).count();
        if (code == Status.Code.OK && lost > 0 && !stopping) {
            throw new IllegalStateException("the connector lost " + lost + " records");
        }
        waiting.forEach(seq -> outcomes.put(seq, left(seq)));
        return this;
    }

    @Override
    void handle(SyncOutboundResponse message) throws Exception {
        switch (message.getMessageCase()) {
            case DEMAND -> {
                if (!stopping) {
                    feed(message.getDemand().getBatches());
                }
            }
            case OUTCOMES -> settle(message.getOutcomes());
            case TICKET -> keep(message.getTicket());
            case DONE -> {
                if (message.getDone().getSettled() != outcomes.size()) {
                    throw new IllegalStateException("the connector counts " + message.getDone().getSettled() + " outcomes, the host " + outcomes.size());
                }
            }
            case GRANT_REQUEST -> throw new IllegalStateException("the connector asks for budget, though this host keeps no ledger");
            default -> { } // progress, usage, and what this host does not keep
        }
    }

    /** Sends as many batches as were asked for; those of tickets come first. */
    private void feed(int count) {
        for (; count > 0 && !batches.isEmpty(); count--) {
            var batch = batches.remove();
            endTickets(batch.getTicketId());
            sent.addAll(batch.getSeqsList());
            send(SyncOutboundRequest.newBuilder().setBatch(batch));
        }
        if (batches.isEmpty() && !toldAll) {
            toldAll = true;
            endTickets("");
            send(SyncOutboundRequest.newBuilder().setEndOfRecords(EndOfRecords.getDefaultInstance()));
        }
    }

    private void endTickets(String following) {
        while (!returned.isEmpty() && !returned.peek().equals(following)) {
            send(SyncOutboundRequest.newBuilder().setTicketRecordsEnd(TicketRecordsEnd.newBuilder().setTicketId(returned.remove())));
        }
    }

    private void settle(Outcomes settled) {
        var exceptions = new LinkedHashMap<Integer, RowOutcome>();
        settled.getExceptionsList().forEach(e -> exceptions.put(e.getRow(), e));
        for (int row = 0; row < settled.getSeqsCount(); row++) {
            var seq = settled.getSeqs(row);
            if (!waiting.remove(seq)) {
                throw new IllegalStateException("record " + seq + " is settled twice, or was not sent");
            }
            var exception = exceptions.get(row);
            outcomes.put(seq, exception == null ? OutcomeStatus.OUTCOME_STATUS_SUCCEEDED : exception.getStatus());
            if (exception != null && exception.hasError()) {
                reasons.put(seq, exception);
            }
        }
    }

    private void keep(Ticket ticket) throws Exception {
        journal.write(ticket);
        if (ticket.getState() == TicketState.TICKET_STATE_DONE) {
            tickets.remove(ticket.getId());
        } else {
            tickets.put(ticket.getId(), ticket);
        }
        send(SyncOutboundRequest.newBuilder().setTicketAck(TicketAck.newBuilder().setId(ticket.getId()).setState(ticket.getState())));
        if (!stopping && stopAt.test(ticket)) {
            stop();
        }
    }

    private void stop() {
        stopping = true;
        var deadline = Timestamps.fromMillis(System.currentTimeMillis() + patience.toMillis());
        send(SyncOutboundRequest.newBuilder().setStop(Stop.newBuilder().setMode(StopMode.STOP_MODE_NOW).setDeadline(deadline)));
        clock.schedule(() -> cancel("the connector did not stop in time"), patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void send(SyncOutboundRequest.Builder message) {
        call.onNext(message.build());
    }

    /** What a record without an outcome is: the journal knows. */
    private OutcomeStatus left(long seq) {
        for (var ticket : tickets.values()) {
            if (holds(ticket, seq)) {
                if (ticket.getState() == TicketState.TICKET_STATE_SUBMITTED) {
                    return OutcomeStatus.OUTCOME_STATUS_DELAYED; // the ticket is handed back in the next run
                }
                return ticket.getIdempotent() ? OutcomeStatus.OUTCOME_STATUS_RETRY : OutcomeStatus.OUTCOME_STATUS_IN_DOUBT;
            }
        }
        return sent.contains(seq) && code != Status.Code.OK ? OutcomeStatus.OUTCOME_STATUS_RETRY : OutcomeStatus.OUTCOME_STATUS_DELAYED;
    }

    static boolean holds(Ticket ticket, long seq) {
        return ticket.getSeqsList().stream().anyMatch(range -> range.getFirst() <= seq && seq <= range.getLast());
    }

    /** How many records have each outcome. */
    Map<OutcomeStatus, Integer> counts() {
        var counts = new TreeMap<OutcomeStatus, Integer>();
        new ArrayList<>(outcomes.values()).forEach(status -> counts.merge(status, 1, Integer::sum));
        return counts;
    }
}
