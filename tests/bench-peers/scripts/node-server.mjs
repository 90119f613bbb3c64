// Node with ws and bufferutil, its addon for masks: PORT. "/" echoes, "/join" is a member of the group, "/publish" sends to it.
import { createRequire } from 'node:module';
const { WebSocketServer } = createRequire(process.argv[3] + '/')('ws');

const group = new Set();
const server = new WebSocketServer({ port: Number(process.argv[2]), host: '0.0.0.0', perMessageDeflate: false, backlog: 4096 });
server.on('connection', (socket, request) => {
  socket.on('error', () => {});
  if (request.url === '/join') {
    group.add(socket);
    socket.on('close', () => group.delete(socket));
  } else if (request.url === '/publish') {
    socket.on('message', (message, binary) => {
      for (const member of group) member.send(message, { binary });
    });
  } else {
    socket.on('message', (message, binary) => socket.send(message, { binary }));
  }
});
