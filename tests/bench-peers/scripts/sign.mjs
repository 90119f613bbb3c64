// Pusher's signature of a request: PATH BODY, key and secret are those of sockudo.toml. Prints the path with its query.
import { createHash, createHmac } from 'node:crypto';
const [path, body] = process.argv.slice(2);
const query = `auth_key=bench-key&auth_timestamp=${Math.floor(Date.now() / 1000)}&auth_version=1.0`
  + `&body_md5=${createHash('md5').update(body).digest('hex')}`;
const signature = createHmac('sha256', 'bench-secret').update(`POST\n${path}\n${query}`).digest('hex');
console.log(`${path}?${query}&auth_signature=${signature}`);
