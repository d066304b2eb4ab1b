import java.io.File;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.file.CodecFactory;
import org.apache.avro.file.DataFileWriter;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;

/** Writes the two orders with Apache Avro for Java, in each codec. Arguments: schema, directory. */
public class Write {
    static final long AT = 1795696245678L;

    public static void main(String[] arguments) throws Exception {
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(arguments[0])));
        String version = Schema.class.getPackage().getImplementationVersion();
        for (String codec : List.of("null", "deflate", "snappy", "zstandard", "bzip2", "xz")) {
            File file = new File(arguments[1], codec + "-avro-java-" + version + ".avro");
            try (var writer = new DataFileWriter<GenericRecord>(new GenericDatumWriter<>(schema))) {
                writer.setCodec(CodecFactory.fromString(codec)).create(schema, file);
                writer.append(order(schema, 1010, -1234, "DONE", new byte[] {0, -1}, "grün", -7L, List.of("a", ""), Map.of("x", 0.5)));
                writer.append(order(schema, -1, 0, "NEW", new byte[] {'a', 'b'}, null, "z", List.of(), Map.of()));
            }
        }
    }

    static GenericRecord order(Schema schema, long id, int cents, String state, byte[] hash, String note, Object any,
            List<String> tags, Map<String, Double> rates) {
        byte[] price = java.math.BigInteger.valueOf(cents).toByteArray();
        return new GenericRecordBuilder(schema).set("id", id).set("at", AT).set("price", ByteBuffer.wrap(price))
                .set("state", new GenericData.EnumSymbol(schema.getField("state").schema(), state))
                .set("hash", new GenericData.Fixed(schema.getField("hash").schema(), hash))
                .set("note", note).set("any", any).set("tags", tags).set("rates", rates).build();
    }
}
