// Runs the pipeline on an image, with the bytes in the call or by way of the store, and writes the generated image:
//   node run.mjs inline|links IMAGE OUT.png
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const env = process.env;
const protos = env.BIOSYNTH_PROTOS ?? "protos"; // the folder of the same name in biosynth's checkout
const contract = loadSync(["biosynth/v1/pipeline.proto", "details.proto"], {
  includeDirs: [protos, fileURLToPath(new URL("..", import.meta.url))],
  keepCase: true,
  enums: String,
  oneofs: true,
});
const { PipelineService } = grpc.loadPackageDefinition(contract).biosynth.v1;
const caFile = env.BIOSYNTH_ENDPOINT_CA_FILE;
const client = new PipelineService(
  env.BIOSYNTH_ENDPOINT ?? "127.0.0.1:50051",
  caFile ? grpc.credentials.createSsl(readFileSync(caFile)) : grpc.credentials.createInsecure(),
  {
    "grpc.service_config": readFileSync(`${protos}/biosynth/service_config.json`, "utf8"), // retries
    "grpc.max_receive_message_length": 68 * 1024 * 1024, // grpc-js takes 4 MiB otherwise
    "grpc.per_rpc_retry_buffer_size": 40 * 1024 * 1024, // and repeats no call of more than 1 MiB,
    "grpc.retry_buffer_size": 160 * 1024 * 1024, // nor one where all in work exceed 16 MiB
  },
);
const metadata = new grpc.Metadata();
if (env.BIOSYNTH_ENDPOINT_TOKEN_FILE)
  metadata.set("authorization", `Bearer ${readFileSync(env.BIOSYNTH_ENDPOINT_TOKEN_FILE, "utf8").trim()}`);
const options = { deadline: Date.now() + 120_000 }; // one for all calls together

const call = (method, request) =>
  new Promise((resolve, reject) =>
    client[method](request, metadata, options, (error, reply) => (error ? reject(error) : resolve(reply))),
  );

async function run(image, delivery) {
  let result;
  for await (const response of client.Run({ image, delivery }, metadata, options)) {
    if (response.progress) console.log(`${response.progress.stage} ${response.progress.done ? "done" : "..."}`);
    if (response.result) result = response.result;
  }
  return result.generation.image;
}

async function upload(bytes, extension) {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const link = await call("CreateUpload", { sha256, size_bytes: bytes.length, extension });
  if (link.url) { // empty: the store has it
    const reply = await fetch(link.url, { method: "PUT", headers: link.headers, body: bytes });
    if (!reply.ok && reply.status !== 412) throw new Error(`upload: HTTP ${reply.status}`); // 412: it has it by now
  }
  return link.object;
}

async function download(object) {
  const reply = await fetch((await call("CreateDownload", { object })).url);
  if (!reply.ok) throw new Error(`download: HTTP ${reply.status}`);
  return Buffer.from(await reply.arrayBuffer());
}

function explain(error) {
  if (!error.metadata) return error.message; // not a call's
  const lines = [`${grpc.status[error.code]}: ${error.details}`, `request ${error.metadata.get("x-request-id")}`];
  for (const packed of error.metadata.get("grpc-status-details-bin"))
    for (const { type_url, value } of contract["google.rpc.Status"].deserialize(packed).details) {
      const type = type_url.split("/").pop();
      lines.push(`${type} ${JSON.stringify(contract[type]?.deserialize(value))}`);
    }
  return lines.join("\n");
}

try {
  const [way, from, to] = process.argv.slice(2);
  const bytes = readFileSync(from);
  let image;
  if (way === "inline") {
    image = (await run({ file: bytes }, "DELIVERY_FILE")).file;
  } else {
    const object = await upload(bytes, from.split(".").pop()); // png, tif or jpg
    image = await download((await run({ object }, "DELIVERY_OBJECT")).object);
  }
  writeFileSync(to, image);
  console.log(`wrote ${to}, ${image.length} bytes`);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
} finally {
  client.close();
}
