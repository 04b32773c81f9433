package example;

import io.grpc.Status;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientResponseObserver;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * A call of two directions. Messages are handled one after the other, and the
 * next one is asked for when one was handled: that holds the connector back.
 * Only the handler sends, so that nothing else needs to be locked.
 */
abstract class Conversation<Q, R> implements ClientResponseObserver<Q, R> {
    /** A connector that says nothing for so many seconds is dead: it has to say something every 10. */
    private static final int STALL_SECONDS = 60;

    protected ClientCallStreamObserver<Q> call;
    protected final ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
    private final CompletableFuture<Status> ended = new CompletableFuture<>();
    private ScheduledFuture<?> silence;
    private volatile boolean cancelled;

    /** Handles one message; what it throws ends the call. */
    abstract void handle(R message) throws Exception;

    /** Opens the conversation and waits for its end. */
    Status hold(List<Q> opening) throws Exception {
        try {
            opening.forEach(call::onNext);
            listen();
            return ended.get();
        } finally {
            clock.shutdownNow();
        }
    }

    private void listen() {
        if (silence != null) {
            silence.cancel(false);
        }
        silence = clock.schedule(() -> fail(new IllegalStateException("the connector says nothing any more")), STALL_SECONDS, TimeUnit.SECONDS);
        call.request(1);
    }

    /** Cancels the call, which then ends with that status. */
    protected void cancel(String why) {
        cancelled = true;
        call.cancel(why, null);
    }

    private void fail(Exception cause) {
        if (cancelled) {
            return; // it was sending; the end is on its way
        }
        ended.completeExceptionally(cause);
        call.cancel("the host ends the call", cause);
    }

    @Override
    public void beforeStart(ClientCallStreamObserver<Q> stream) {
        call = stream;
        call.disableAutoRequestWithInitial(0);
    }

    @Override
    public void onNext(R message) {
        try {
            handle(message);
            if (!ended.isDone()) {
                listen();
            }
        } catch (Exception e) {
            fail(e);
        }
    }

    @Override
    public void onError(Throwable error) {
        ended.complete(Status.fromThrowable(error));
    }

    @Override
    public void onCompleted() {
        ended.complete(Status.OK);
    }
}
