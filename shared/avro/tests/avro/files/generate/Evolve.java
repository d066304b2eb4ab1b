import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * Resolves pairs of schemas with Apache Avro for Java. Reads a list of pairs with data in Avro's JSON encoding, and writes a list
 * with a line for each datum: the writer's datum, and the reader's datum or the error. Arguments: pairs, output.
 */
public class Evolve {
    static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        List<String> lines = new ArrayList<>();
        for (JsonNode pair : JSON.readTree(Path.of(arguments[0]).toFile())) {
            Schema writer = new Schema.Parser().parse(pair.get("writer").toString());
            for (JsonNode datum : pair.get("data")) {
                byte[] written = encode(writer, new GenericDatumReader<>(writer).read(null,
                        DecoderFactory.get().jsonDecoder(writer, datum.toString())));
                ObjectNode line = JSON.createObjectNode();
                line.set("name", pair.get("name"));
                line.set("writer", pair.get("writer"));
                line.set("reader", pair.get("reader"));
                line.put("datum", HexFormat.of().formatHex(written));
                try {
                    Schema reader = new Schema.Parser().parse(pair.get("reader").toString());
                    Object read = new GenericDatumReader<>(writer, reader).read(null,
                            DecoderFactory.get().binaryDecoder(written, null));
                    line.put("read", HexFormat.of().formatHex(encode(reader, read)));
                } catch (Exception | StackOverflowError error) {
                    line.put("error", error.toString().lines().findFirst().orElse(""));
                }
                lines.add(line.toString());
            }
        }
        Files.writeString(Path.of(arguments[1]), "[\n" + String.join(",\n", lines) + "\n]\n");
    }

    static byte[] encode(Schema schema, Object datum) throws Exception {
        var out = new ByteArrayOutputStream();
        var encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<>(schema).write(datum, encoder);
        encoder.flush();
        return out.toByteArray();
    }
}
