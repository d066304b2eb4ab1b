import java.io.IOException;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.UnsupportedCallbackException;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerExtensionsValidatorCallback;
import org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler;

/** Kafka's validation of JWTs, and of SASL extensions: logicalCluster must be lkc-1, as Confluent Cloud requires one. */
public class ExtensionValidator extends OAuthBearerValidatorCallbackHandler {
    private static final String NAME = "logicalCluster";

    @Override
    public void handle(Callback[] callbacks) throws IOException, UnsupportedCallbackException {
        for (Callback callback : callbacks) {
            if (callback instanceof OAuthBearerExtensionsValidatorCallback extensions) {
                if ("lkc-1".equals(extensions.inputExtensions().map().get(NAME))) {
                    extensions.valid(NAME);
                } else {
                    extensions.error(NAME, "unknown cluster");
                }
            } else {
                super.handle(new Callback[] {callback});
            }
        }
    }
}
