/** The OpenAPI 3.1 document of the registry, made of the schemas that check what comes in. */
import { z } from 'zod';
import {
  Lease,
  LeaseQuery,
  NodePage,
  NodeQuery,
  Refusal,
  RegisteredNode,
  Registration,
} from '../transport/discovery/registry-messages.ts';

const schemas = { Registration, RegisteredNode, Lease, NodePage, Refusal };

type Json = { readonly [key: string]: unknown };

/** The document, as plain data. The same schemas give the same document. */
export function openApiOf(version: string): Json {
  const id = { name: 'id', in: 'path', required: true, schema: schemaOf(Registration.shape.id) };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Pincer registry',
      version,
      description:
        'Where nodes and gateways are found. A registration is a lease: it lasts `ttlMs` beyond the last heartbeat.',
    },
    security: [{ bearer: [] }],
    paths: {
      '/nodes': {
        post: {
          operationId: 'register',
          summary: 'Registers a node, or registers it anew; durable when answered.',
          requestBody: { required: true, content: json('Registration') },
          responses: { 201: answer('The lease.', 'Lease'), ...refusals(400, 401, 413, 415, 429, 503) },
        },
        get: {
          operationId: 'list',
          summary: 'Registered nodes, in the order of their ids, page by page.',
          parameters: parametersOf(NodeQuery),
          responses: { 200: answer('One page.', 'NodePage'), ...refusals(400, 401, 429) },
        },
      },
      '/nodes/{id}/heartbeat': {
        post: {
          operationId: 'heartbeat',
          summary: 'Extends the lease.',
          parameters: [id, ...parametersOf(LeaseQuery)],
          responses: { 200: answer('The lease.', 'Lease'), ...refusals(400, 401, 404, 409, 429) },
        },
      },
      '/nodes/{id}': {
        delete: {
          operationId: 'deregister',
          summary: 'Ends the lease; durable when answered.',
          parameters: [id, ...parametersOf(LeaseQuery)],
          responses: { 204: { description: 'It is not registered.' }, ...refusals(400, 401, 404, 409, 429, 503) },
        },
      },
      '/livez': {
        get: { operationId: 'livez', security: [], responses: { 200: { description: 'The registry runs.' } } },
      },
    },
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: componentsOf(schemas),
    },
  };
}

const MEANINGS: Readonly<Record<number, string>> = {
  400: 'It does not fit the schema.',
  401: 'No key, or a wrong one.',
  404: 'No such lease; register again.',
  409: 'Somebody else has registered the id.',
  413: 'The body is too large.',
  415: 'The body is not JSON.',
  429: 'Too many requests or nodes; see Retry-After.',
  503: 'The lease could not be written down.',
};

function refusals(...statuses: readonly number[]): Json {
  return Object.fromEntries(statuses.map((status) => [status, answer(MEANINGS[status] ?? '', 'Refusal')]));
}

function answer(description: string, schema: keyof typeof schemas): Json {
  return { description, content: json(schema) };
}

function json(schema: keyof typeof schemas): Json {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function parametersOf(query: z.ZodObject): Json[] {
  return Object.entries(query.shape).map(([name, schema]) => ({
    name,
    in: 'query',
    required: false,
    schema: schemaOf(schema as z.ZodType),
  }));
}

/** Each schema under its name; where one is part of another, the other refers to it. */
function componentsOf(named: Readonly<Record<string, z.ZodType>>): Json {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const { schemas: made } = z.toJSONSchema(registry, { ...dialect, uri: (id) => `#/components/schemas/${id}` });
  return Object.fromEntries(Object.entries(made).map(([id, schema]) => [id, bare(schema as Json)]));
}

function schemaOf(schema: z.ZodType): Json {
  return bare(z.toJSONSchema(schema, dialect) as Json);
}

/** JSON Schema 2020-12 is what OpenAPI 3.1 speaks, and it does not say so in every schema. */
const dialect = { target: 'draft-2020-12', io: 'input' } as const;

function bare({ $schema: _dialect, $id: _id, ...schema }: Json): Json {
  return schema;
}
