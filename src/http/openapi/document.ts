/** `openapi.json`: the API as this version speaks it. */

import { version } from '../../version.ts';
import { operations } from './operations.ts';
import { bodies, schemas } from './schemas.ts';

const keyHeader = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Names the operation: a retry under the same key gets the first answer, and sends nothing',
  schema: { type: 'string', minLength: 1, maxLength: 256 },
};

/** OpenAPI 3.1. */
export function openApiDocument(): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operation, summary] of Object.entries(operations)) {
    const [method = '', path = ''] = operation.split(' ');
    paths[path] = { ...paths[path], [method.toLowerCase()]: describe(operation, summary) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sendonce',
      version,
      description: 'Resend’s API at the root, Brevo’s below /v3, and what no provider has. The docs are at /docs.',
    },
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
      },
      schemas,
    },
  };
}

function describe(operation: string, summary: string): Record<string, unknown> {
  const [method = '', path = ''] = operation.split(' ');
  const isBrevo = path.startsWith('/v3');
  const names = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name);
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  const isKeyed = /^POST \/emails?(?:\/batch)?$/.test(operation);
  const error = contentOf({ $ref: `#/components/schemas/${isBrevo ? 'BrevoError' : 'ResendError'}` });
  return {
    operationId: operationIdOf(method, path),
    summary,
    tags: [isBrevo ? 'Brevo' : isOwn(path) ? 'Sendonce' : 'Resend'],
    ...(inPath.length + Number(isKeyed) > 0 ? { parameters: [...inPath, ...(isKeyed ? [keyHeader] : [])] } : {}),
    ...bodyOf(operation, method),
    responses: {
      '2XX': { description: 'Done', headers: { 'x-request-id': { schema: { type: 'string' } } } },
      '4XX': { description: 'Refused: nothing was done', content: error },
      '503': { description: 'Not now: try again after Retry-After, under the same key', content: error },
    },
  };
}

function bodyOf(operation: string, method: string): Record<string, unknown> {
  const name = bodies[operation];
  if (name) return { requestBody: { required: true, content: contentOf({ $ref: `#/components/schemas/${name}` }) } };
  return ['PATCH', 'POST', 'PUT'].includes(method) ? { requestBody: { content: contentOf({ type: 'object' }) } } : {};
}

function contentOf(schema: Record<string, unknown>): Record<string, unknown> {
  return { 'application/json': { schema } };
}

function isOwn(path: string): boolean {
  return /^\/(idempotency-keys|in-doubt|accounts|relays)\b/.test(path);
}

function operationIdOf(method: string, path: string): string {
  const words = path.replace(/[{}]/g, '').split(/[/-]/).filter(Boolean);
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('');
}
