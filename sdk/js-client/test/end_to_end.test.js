// The end-to-end check against the fake gateway: of the check as much a test as of the client.

import assert from "node:assert/strict";
import test from "node:test";
import { talk } from "./end_to_end.mjs";
import { FakeGateway } from "./fake_gateway.js";

test("forty cuts in four thousand messages: nothing lost, nothing doubled", async () => {
  const gateway = await FakeGateway.start();
  try {
    const said = await talk(gateway.url, "echo");
    assert.equal(said.received, 4_000);
  } finally {
    await gateway.stop();
  }
});
