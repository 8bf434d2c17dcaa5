// A chat server of the plain contract that is not ours: rooms by path, `{"message": …}` relayed to
// everybody in the room. Node's own modules alone; prints the port it listens on.
import { createHash } from "node:crypto";
import { createServer } from "node:http";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const rooms = new Map();

/** A text frame as a server sends it. */
function frame(text) {
  const payload = Buffer.from(text);
  const head = payload.length < 126
    ? Buffer.from([0x81, payload.length])
    : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
  return Buffer.concat([head, payload]);
}

/** The first frame of a client's bytes, or nothing while it is not all there. */
function first(bytes) {
  if (bytes.length < 2) return;
  const opcode = bytes[0] & 15;
  let length = bytes[1] & 127;
  let at = 2;
  if (length === 126) {
    if (bytes.length < 4) return;
    length = bytes.readUInt16BE(2);
    at = 4;
  }
  if (bytes.length < at + 4 + length) return;
  const mask = bytes.subarray(at, at + 4);
  const payload = Buffer.from(bytes.subarray(at + 4, at + 4 + length));
  for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
  return { opcode, payload, end: at + 4 + length };
}

const server = createServer((_, answer) => answer.writeHead(404).end());
server.on("upgrade", (request, socket) => {
  const accept = createHash("sha1").update(request.headers["sec-websocket-key"] + GUID);
  socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    `Sec-WebSocket-Accept: ${accept.digest("base64")}\r\n\r\n`);
  const path = request.url.split("?")[0];
  const room = rooms.get(path) ?? new Set();
  rooms.set(path, room.add(socket));
  let bytes = Buffer.alloc(0);
  socket.on("data", (more) => {
    bytes = Buffer.concat([bytes, more]);
    for (let one = first(bytes); one; one = first(bytes)) {
      bytes = bytes.subarray(one.end);
      if (one.opcode === 8) return socket.end();
      if (one.opcode !== 1) continue;
      const said = frame(JSON.stringify({ message: JSON.parse(one.payload).message }));
      for (const member of room) member.write(said);
    }
  });
  socket.on("error", () => {});
  socket.on("close", () => room.delete(socket));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
