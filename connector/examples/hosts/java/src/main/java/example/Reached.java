package example;

import io.grpc.CallCredentials;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.SecurityLevel;
import io.grpc.Status;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDomainSocketChannel;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigInteger;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.SecureRandom;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import sluice.connector.v1.ConnectorServiceGrpc;

/** A connector that was reached: launched as a subprocess, or dialed where it is served standalone. */
final class Reached implements AutoCloseable {
    /** Tells the program that a host is there. */
    private static final String COOKIE = "SLUICE_CONNECTOR", COOKIE_VALUE = "a-connector-is-a-program-that-serves-the-contract";
    /** Both ends take messages of up to 16 MiB; gRPC's own bound is 4 MiB. */
    private static final int MAX_MESSAGE = 16 << 20;

    private final ManagedChannel channel;
    private final CallCredentials token;
    private final AutoCloseable rest;

    private Reached(ManagedChannel channel, CallCredentials token, AutoCloseable rest) {
        this.channel = channel;
        this.token = token;
        this.rest = rest;
    }

    ConnectorServiceGrpc.ConnectorServiceStub service() {
        var stub = ConnectorServiceGrpc.newStub(channel).withMaxOutboundMessageSize(MAX_MESSAGE);
        return token == null ? stub : stub.withCallCredentials(token);
    }

    ConnectorServiceGrpc.ConnectorServiceBlockingStub blocking() {
        var stub = ConnectorServiceGrpc.newBlockingStub(channel);
        return token == null ? stub : stub.withCallCredentials(token);
    }

    /** Starts a connector program. */
    static Reached launch(Path path, boolean tls) throws Exception {
        var sockets = Files.createTempDirectory("host"); // of mode 0700
        var own = tls ? Identity.make() : null;
        // Logs go to the host's stderr.
        var builder = new ProcessBuilder(path.toString()).redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().keySet().retainAll(java.util.Set.of("PATH"));
        builder.environment().put(COOKIE, COOKIE_VALUE);
        builder.environment().put("PLUGIN_UNIX_SOCKET_DIR", sockets.toString());
        if (own != null) {
            builder.environment().put("PLUGIN_CLIENT_CERT", own.pem());
        }
        var program = builder.start();
        program.getOutputStream().close(); // a connector reads nothing
        var loops = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
        AutoCloseable end = () -> end(program, loops, sockets);
        try {
            var line = CompletableFuture.supplyAsync(() -> firstLine(program.inputReader())).get(60, TimeUnit.SECONDS);
            var fields = line.split("\\|", -1);
            if (fields.length < 5 || !fields[0].equals("1") || !fields[1].equals("1") || !fields[2].equals("unix") || !fields[4].equals("grpc")) {
                throw new IOException(path + " speaks another protocol: " + line);
            }
            var channel = NettyChannelBuilder.forAddress(UnixDomainSocketAddress.of(fields[3]))
                .channelType(NioDomainSocketChannel.class).eventLoopGroup(loops)
                .overrideAuthority("localhost").maxInboundMessageSize(MAX_MESSAGE);
            if (own == null) {
                channel.usePlaintext();
            } else {
                var der = new ByteArrayInputStream(Base64.getDecoder().decode(fields[5]));
                var theirs = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(der);
                channel.sslContext(GrpcSslContexts.forClient().trustManager(theirs).keyManager(own.key(), own.certificate()).build());
            }
            return new Reached(channel.build(), null, end);
        } catch (Exception e) {
            end.close();
            throw e;
        }
    }

    private static String firstLine(BufferedReader stdout) {
        try {
            var line = stdout.readLine();
            if (line == null) {
                throw new IllegalStateException("the connector ended before it answered");
            }
            return line;
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static void end(Process program, EventLoopGroup loops, Path sockets) throws Exception {
        program.destroy(); // it settles what it can, and ends
        if (!program.waitFor(10, TimeUnit.SECONDS)) {
            program.destroyForcibly().waitFor();
        }
        loops.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        try (var left = Files.list(sockets)) {
            for (var file : left.toList()) {
                Files.delete(file);
            }
        }
        Files.delete(sockets);
    }

    /** Reaches a connector that was started with serve --listen. */
    static Reached dial(String address, Path ca, String token) throws IOException {
        ChannelCredentials tls = TlsChannelCredentials.newBuilder().trustManager(ca.toFile()).build();
        return new Reached(Grpc.newChannelBuilder(address, tls).maxInboundMessageSize(MAX_MESSAGE).build(), new Bearer(token), () -> { });
    }

    @Override
    public void close() throws Exception {
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        rest.close();
    }

    /** Sends a token with every call, but not in the clear. */
    private static final class Bearer extends CallCredentials {
        private static final Metadata.Key<String> KEY = Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
        private final Metadata headers = new Metadata();

        Bearer(String token) {
            headers.put(KEY, "Bearer " + token);
        }

        @Override
        public void applyRequestMetadata(RequestInfo request, Executor executor, MetadataApplier applier) {
            if (request.getSecurityLevel() == SecurityLevel.PRIVACY_AND_INTEGRITY) {
                applier.apply(headers);
            } else {
                applier.fail(Status.UNAUTHENTICATED.withDescription("the token does not travel in the clear"));
            }
        }
    }

    /** A certificate for one launch, and its key. */
    private record Identity(X509Certificate certificate, PrivateKey key) {
        static Identity make() throws Exception {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair keys = generator.generateKeyPair();
            var name = new X500Name("CN=localhost");
            var now = Instant.now();
            var unsigned = new JcaX509v3CertificateBuilder(name, new BigInteger(127, new SecureRandom()),
                Date.from(now.minus(Duration.ofMinutes(1))), Date.from(now.plus(Duration.ofDays(1))), name, keys.getPublic());
            unsigned.addExtension(Extension.subjectAlternativeName, false, new GeneralNames(new GeneralName(GeneralName.dNSName, "localhost")));
            unsigned.addExtension(Extension.basicConstraints, true, new BasicConstraints(true));
            var signed = unsigned.build(new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate()));
            return new Identity(new JcaX509CertificateConverter().getCertificate(signed), keys.getPrivate());
        }

        String pem() throws Exception {
            var text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(certificate.getEncoded());
            return "-----BEGIN CERTIFICATE-----\n" + text + "\n-----END CERTIFICATE-----\n";
        }
    }
}
