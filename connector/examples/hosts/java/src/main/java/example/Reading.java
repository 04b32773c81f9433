package example;

import io.grpc.Status;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import sluice.connector.v1.ConnectionOuterClass.Connection;
import sluice.connector.v1.ConnectorServiceGrpc.ConnectorServiceStub;
import sluice.connector.v1.Inbound.CheckpointAck;
import sluice.connector.v1.Inbound.InboundStart;
import sluice.connector.v1.Inbound.InboundSync;
import sluice.connector.v1.Inbound.SyncInboundRequest;
import sluice.connector.v1.Inbound.SyncInboundResponse;
import sluice.connector.v1.Record.RecordBatch;
import sluice.connector.v1.SchemaOuterClass.Column;
import sluice.connector.v1.SchemaOuterClass.Schema;

/** Reads streams of records. */
final class Reading extends Conversation<SyncInboundRequest, SyncInboundResponse> {
    /** Keeps rows. */
    interface Store {
        /** Makes rows and state durable together; a row is texts by column, null for null. */
        void write(String stream, List<Map<String, String>> rows, String state) throws Exception;
    }

    /** By stream, why one failed alone. */
    final Map<String, sluice.connector.v1.ErrorOuterClass.Error> failed = new HashMap<>();

    private final Store store;
    private final Map<String, Schema> schemas = new HashMap<>();
    private final Map<String, List<Map<String, String>>> rows = new HashMap<>();

    Reading(Store store) {
        this.store = store;
    }

    /** Runs to the end. */
    Reading run(ConnectorServiceStub service, Connection connection, InboundSync sync) throws Exception {
        sync.getStreamsList().forEach(selected -> rows.put(selected.getName(), new ArrayList<>()));
        service.syncInbound(this);
        Status end = hold(List.of(SyncInboundRequest.newBuilder().setStart(InboundStart.newBuilder().setConnection(connection).setSync(sync)).build()));
        if (!end.isOk() || !rows.isEmpty()) {
            throw new IllegalStateException("the read ended with " + end + "; without an end: " + rows.keySet());
        }
        return this;
    }

    @Override
    void handle(SyncInboundResponse message) throws Exception {
        switch (message.getMessageCase()) {
            case SCHEMA -> schemas.put(message.getSchema().getId(), message.getSchema());
            case BATCH -> of(message.getBatch().getStream()).addAll(rowsOf(message.getBatch()));
            case TOMBSTONES -> message.getTombstones().getAppIdentifiersList().forEach(
                id -> of(message.getTombstones().getStream()).add(Map.of("id", id, "deleted", "true")));
            case CHECKPOINT -> {
                var point = message.getCheckpoint();
                store.write(point.getStream(), of(point.getStream()), point.getStateJson());
                rows.put(point.getStream(), new ArrayList<>());
                var ack = CheckpointAck.newBuilder().setStream(point.getStream()).setNumber(point.getNumber());
                call.onNext(SyncInboundRequest.newBuilder().setCheckpointAck(ack).build());
            }
            case STREAM_DONE -> {
                var end = message.getStreamDone();
                if (end.hasError()) {
                    failed.put(end.getStream(), end.getError()); // the rows since the last checkpoint are dropped
                } else {
                    store.write(end.getStream(), of(end.getStream()), end.getStateJson());
                }
                rows.remove(end.getStream());
            }
            default -> { } // progress, usage, done
        }
    }

    private List<Map<String, String>> of(String stream) {
        var found = rows.get(stream);
        if (found == null) {
            throw new IllegalStateException("the connector sent something of " + stream + ", which was not selected or has ended");
        }
        return found;
    }

    private List<Map<String, String>> rowsOf(RecordBatch batch) {
        List<Map<String, String>> found = new ArrayList<>();
        for (int row = 0; row < batch.getRows(); row++) {
            found.add(new LinkedHashMap<>());
        }
        List<Column> columns = schemas.get(batch.getSchemaId()).getColumnsList();
        for (int i = 0; i < columns.size(); i++) {
            var values = batch.getColumns(i);
            var nulls = new HashSet<>(values.getNullsList());
            for (int row = 0; row < batch.getRows(); row++) {
                found.get(row).put(columns.get(i).getName(), nulls.contains(row) ? null : values.getTexts(row));
            }
        }
        return found;
    }
}
