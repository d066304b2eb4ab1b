import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import javax.security.auth.callback.Callback;
import javax.security.auth.login.AppConfigurationEntry;
import org.apache.kafka.common.security.auth.AuthenticateCallbackHandler;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerToken;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallback;

/** Verifies tokens as Amazon MSK does: URLs presigned with SigV4, here with the secret "hunter2-aws". */
public class MskValidator implements AuthenticateCallbackHandler {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'").withZone(ZoneOffset.UTC);

    private record Token(String value, long lifetimeMs, String principalName, Long startTimeMs) implements OAuthBearerToken {
        @Override
        public Set<String> scope() {
            return Set.of();
        }
    }

    @Override
    public void configure(Map<String, ?> configs, String mechanism, List<AppConfigurationEntry> entries) {}

    @Override
    public void close() {}

    @Override
    public void handle(Callback[] callbacks) {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerValidatorCallback validator) {
                try {
                    validator.token(verify(validator.tokenValue()));
                } catch (Exception error) {
                    validator.error("invalid_token", null, null);
                }
            }
        }
    }

    private static Token verify(String value) throws Exception {
        URI url = URI.create(new String(Base64.getUrlDecoder().decode(value), StandardCharsets.UTF_8));
        Map<String, String> query = new TreeMap<>();
        for (String pair : url.getRawQuery().split("&")) {
            String[] parts = pair.split("=", 2);
            query.put(parts[0], parts[1]);
        }
        query.remove("User-Agent");
        String signature = query.remove("X-Amz-Signature");
        String[] credential = decode(query, "X-Amz-Credential").split("/");
        String region = credential[2];
        Instant signed = TIME.parse(query.get("X-Amz-Date"), Instant::from);
        Duration age = Duration.between(signed, Instant.now());
        long lifetime = Long.parseLong(query.get("X-Amz-Expires"));
        check(url.getScheme().equals("https") && url.getHost().equals("kafka." + region + ".amazonaws.com"));
        check(decode(query, "Action").equals("kafka-cluster:Connect") && lifetime <= 900);
        check(age.abs().compareTo(Duration.ofSeconds(lifetime)) < 0);
        check(query.get("X-Amz-SignedHeaders").equals("host"));
        String session = query.containsKey("X-Amz-Security-Token") ? decode(query, "X-Amz-Security-Token") : "";
        check(credential[0].startsWith("ASIA") != session.isEmpty());

        String canonical = query.entrySet().stream().map(Object::toString).collect(Collectors.joining("&"));
        String request = String.join("\n", "GET", "/", canonical, "host:" + url.getHost(), "", "host", sha256(""));
        String scope = String.join("/", Arrays.copyOfRange(credential, 1, 5));
        String text = String.join("\n", "AWS4-HMAC-SHA256", query.get("X-Amz-Date"), scope, sha256(request));
        byte[] key = "AWS4hunter2-aws".getBytes(StandardCharsets.UTF_8);
        for (String part : scope.split("/")) {
            key = hmac(key, part);
        }
        check(HexFormat.of().formatHex(hmac(key, text)).equals(signature));
        return new Token(value, signed.plusSeconds(lifetime).toEpochMilli(), credential[0], signed.toEpochMilli());
    }

    private static String decode(Map<String, String> query, String name) {
        return URLDecoder.decode(query.get(name), StandardCharsets.UTF_8);
    }

    private static void check(boolean isValid) {
        if (!isValid) {
            throw new IllegalArgumentException();
        }
    }

    private static String sha256(String text) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static byte[] hmac(byte[] key, String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        return mac.doFinal(text.getBytes(StandardCharsets.UTF_8));
    }
}
