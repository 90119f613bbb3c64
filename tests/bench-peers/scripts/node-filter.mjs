// Lines of JSON on their way to two services: PORT A B. Noise is dropped, secrets are taken out, what is left is marked as seen and
// goes to the service of its room. One write for what came together.
import net from 'node:net';
const [port, a, b] = process.argv.slice(2).map(Number);

net.createServer({ noDelay: true }, (client) => {
  const services = [a, b].map((to) => {
    const service = net.connect({ host: '127.0.0.1', port: to, noDelay: true });
    service.on('data', (bytes) => client.write(bytes));
    service.on('error', () => client.destroy());
    return service;
  });
  let rest = '';
  client.on('data', (bytes) => {
    const lines = (rest + bytes.toString()).split('\n');
    rest = lines.pop();
    let toA = '', toB = '';
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.type === 'noise') continue;
      delete message.secret;
      message.seen = true;
      if (message.room === 'b') toB += JSON.stringify(message) + '\n';
      else toA += JSON.stringify(message) + '\n';
    }
    if (toA) services[0].write(toA);
    if (toB) services[1].write(toB);
  });
  const end = () => services.forEach((service) => service.destroy());
  client.on('close', end);
  client.on('error', end);
}).listen({ port, host: '127.0.0.1', backlog: 1024 });
