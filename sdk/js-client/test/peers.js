// Node's `ws`, where `make peers` puts it.

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const directory = process.env.WEIR_NODE ?? fileURLToPath(new URL("../../../target/node", import.meta.url));
export const { WebSocket, WebSocketServer } = createRequire(directory + "/")("ws");
