/** A registry in this process, and how a test asks it without the client. */
import { createRegistry, type RegistryServerOptions } from '../../src/registry/registry.ts';

export const API_KEY = 'a-key-for-the-tests';

export async function startRegistry(options: Partial<RegistryServerOptions> = {}) {
  const registry = await createRegistry({ apiKey: API_KEY, ...options });
  return { registry, url: registry.url, ask: askerOf(registry.url), close: () => registry.close() };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is looked into, not relied on.
  readonly json: any;
}

/** Asks a registry; a body is sent as JSON, text as it is. */
export function askerOf(url: string, key: string | null = API_KEY) {
  return async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true;
    return { status: answer.status, headers: answer.headers, json: isJson ? JSON.parse(text) : text };
  };
}

export function aRegistration(id: string, more: Readonly<Record<string, unknown>> = {}) {
  return { id, type: 'agent', address: '10.0.0.1:7443', capabilities: ['llm'], ...more };
}
