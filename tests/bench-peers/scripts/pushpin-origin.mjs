// The service behind pushpin: PORT. WebSocket over HTTP: who opens is subscribed to the group, and told so.
import http from 'node:http';

const event = (type, content) =>
  content === undefined ? `${type}\r\n` : `${type} ${Buffer.byteLength(content).toString(16)}\r\n${content}\r\n`;
const opened = event('OPEN')
  + event('TEXT', 'c:' + JSON.stringify({ type: 'subscribe', channel: 'group' }));

http.createServer({ keepAlive: true }, (request, response) => {
  let body = '';
  request.on('data', (part) => { body += part; });
  request.on('end', () => {
    const headers = { 'Content-Type': 'application/websocket-events' };
    if (body.startsWith('OPEN')) headers['Sec-WebSocket-Extensions'] = 'grip; message-prefix=""';
    let answer = body.startsWith('OPEN') ? opened : '';
    if (body.includes('hello')) answer += event('TEXT', 'welcome');
    response.writeHead(200, headers);
    response.end(answer);
  });
}).listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
