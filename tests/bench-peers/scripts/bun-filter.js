// Lines of JSON on their way to two services: PORT A B. Noise is dropped, secrets are taken out, what is left is marked as seen and
// goes to the service of its room. One write for what came together.
const [port, a, b] = process.argv.slice(2).map(Number);

// Bun takes a part when the socket is full; the rest waits for `drain`.
function write(socket, text) {
  if (socket.data.waiting) { socket.data.waiting += text; return; }
  const bytes = Buffer.from(text);
  const taken = socket.write(bytes);
  if (taken < bytes.length) socket.data.waiting = bytes.subarray(taken).toString();
}
function drain(socket) {
  const text = socket.data.waiting;
  socket.data.waiting = '';
  if (text) write(socket, text);
}
function service(client, to) {
  const state = { waiting: '', rest: '' };
  return Bun.connect({
    hostname: '127.0.0.1', port: to, data: state,
    socket: {
      open(socket) { socket.setNoDelay(true); },
      data(socket, bytes) { write(client, bytes.toString()); },
      drain, close() { client.end(); }, error() {},
    },
  });
}

Bun.listen({
  hostname: '127.0.0.1', port,
  socket: {
    open(socket) {
      socket.setNoDelay(true);
      socket.data = { waiting: '', rest: '', early: '', a: null, b: null };
      Promise.all([service(socket, a), service(socket, b)]).then(([one, two]) => {
        socket.data.a = one;
        socket.data.b = two;
        const early = socket.data.early;
        if (early) received(socket, early);
      });
    },
    data(socket, bytes) {
      const text = bytes.toString();
      if (socket.data.b) received(socket, text);
      else socket.data.early += text;
    },
    drain,
    close(socket) { socket.data.a?.end(); socket.data.b?.end(); },
    error() {},
  },
});

function received(socket, text) {
  const lines = (socket.data.rest + text).split('\n');
  socket.data.rest = lines.pop();
  let toA = '', toB = '';
  for (const line of lines) {
    const message = JSON.parse(line);
    if (message.type === 'noise') continue;
    delete message.secret;
    message.seen = true;
    if (message.room === 'b') toB += JSON.stringify(message) + '\n';
    else toA += JSON.stringify(message) + '\n';
  }
  if (toA) write(socket.data.a, toA);
  if (toB) write(socket.data.b, toB);
}
