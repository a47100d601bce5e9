/** What a registry and its clients say to each other, as schemas: the server checks and documents with them, the client checks. */
import { z } from 'zod';
import { Capabilities, Identifier } from '../../protocol/identifier.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { MaxTasks } from '../../protocol/node.ts';
import { Address } from './address.ts';
import { CandidateKind, GatewayUrl, Region, Version } from './source.ts';

const fields = {
  id: Identifier.meta({ description: 'The id of the node; registering it again replaces what was registered.' }),
  type: CandidateKind,
  address: Address.optional().meta({ description: 'Where it listens, host:port.' }),
  url: GatewayUrl.optional().meta({ description: 'What to dial, for gateways.' }),
  capabilities: Capabilities,
  maxTasks: MaxTasks.optional(),
  version: Version.optional(),
  region: Region.optional(),
};

/** What `POST /nodes` takes. */
export const Registration = z.strictObject(fields);
export type Registration = z.infer<typeof Registration>;

/** A node in an answer. Fields of a later version of the registry are left out, not refused. */
export const RegisteredNode = z.object(fields);

/** What `POST /nodes` and a heartbeat answer. */
export const Lease = z.object({
  lease: Identifier.meta({ description: 'Names this registration in heartbeats and when it is deleted.' }),
  ttlMs: z
    .int()
    .min(1)
    .max(86_400_000)
    .meta({ description: 'How long it lasts without a heartbeat, in milliseconds.' }),
});

/** What `GET /nodes` answers. */
export const NodePage = z.object({
  nodes: z.array(RegisteredNode).max(defaultLimits.registryNodesMax),
  cursor: Identifier.optional().meta({ description: 'Where the next page begins; absent on the last.' }),
});

/** What `GET /nodes` may be asked with. */
export const NodeQuery = z.strictObject({
  region: Region.optional(),
  type: CandidateKind.optional(),
  cursor: Identifier.optional(),
  limit: z.coerce.number().int().min(1).max(defaultLimits.registryPageMax).optional(),
});

/** What a heartbeat and a deletion may be asked with. Without a lease, whichever is held is meant. */
export const LeaseQuery = z.strictObject({ lease: Identifier.optional() });

/** Every answer that is not a success. */
export const Refusal = z.object({
  code: z.string().max(64),
  message: z.string().max(2_000),
  hint: z.string().max(2_000).optional(),
});
