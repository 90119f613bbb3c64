// Bun's own WebSocket server, which is uWebSockets: PORT. "/" echoes, "/join" is a member of the group, "/publish" sends to it.
// What it does that others do not: publishes are gathered and written once a turn, and a receiver whose buffer is full misses messages.
Bun.serve({
  port: Number(process.argv[2]),
  hostname: '0.0.0.0',
  fetch(request, server) {
    const path = new URL(request.url).pathname;
    return server.upgrade(request, { data: path }) ? undefined : new Response('', { status: 400 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    sendPings: false,
    backpressureLimit: 16 * 1024 * 1024,
    open(socket) {
      if (socket.data === '/join') socket.subscribe('group');
    },
    message(socket, message) {
      if (socket.data === '/publish') socket.publish('group', message);
      else if (socket.data === '/') socket.send(message);
    },
  },
});
