// What users import. What it does and what it promises: README.md; the protocol: docs/sessions.md of Weir.

export { WeirClient } from "./src/client.js";
