// SPDX-License-Identifier: Apache-2.0
// A server of HTTP/2 with websockets (RFC 8441): node websocketd.js ADDRESS PORT PEM KEY LOG
// What is said in a tunnel comes back; each request that arrives is a line of LOG.
const fs = require("fs"), http2 = require("http2");
const [address, port, pem, key, log] = process.argv.slice(2);
const server = http2.createSecureServer({
  cert: fs.readFileSync(pem), key: fs.readFileSync(key), settings: { enableConnectProtocol: true },
});
server.on("stream", (stream, head) => {
  fs.appendFileSync(log, `${head[":method"]} ${head[":protocol"] || "-"} ${head[":path"]}\n`);
  stream.on("error", () => {});
  stream.respond({ ":status": 200 });
  if (head[":method"] === "CONNECT")
    stream.pipe(stream);
  else
    stream.end("served\n");
});
server.on("sessionError", () => {});
server.listen(Number(port), address);
