/**
 * OpenAPI: the document of the control API (OpenAPI 3.1), made from the definitions.
 *
 * Guarantees: every endpoint is in it, with its schemas, its help as the summary, and its effects as `x-effects`.
 *
 * @module
 */
import type { Endpoint } from "../context/interface.ts";
import { isReading } from "../context/interface.ts";
import { mayBeLeftOut } from "../context/schema.ts";
import { JsonSchemas, type JsonSchema } from "./json-schema.ts";
import { managerInterfaces } from "./manager-interface.ts";
import { apiVersion, pathOf } from "./manager-routes.ts";
import * as schema from "./manager-schema.ts";
import { servicePlanSchema, systemPlanSchema } from "./plan-schema.ts";
import { problemMediaType } from "./problem.ts";

/** The document. `version` is colos' own. */
export function openApi(version: string): JsonSchema {
  const schemas = new JsonSchemas("#/components/schemas/");
  schemas.name("Cause", schema.cause);
  schemas.name("TreeNode", schema.treeNode);
  schemas.name("InstanceStatus", schema.instanceStatus);
  schemas.name("ServicePlan", servicePlanSchema);
  schemas.name("SystemPlan", systemPlanSchema);
  schemas.name("OperationReport", schema.operationReport);
  const paths = Object.values(managerInterfaces).flatMap(({ name: group, endpoints }) =>
    Object.entries(endpoints).map(([name, endpoint]: [string, Endpoint]) => [
      pathOf(group, name),
      pathItem(group, name, endpoint, schemas),
    ]),
  );
  return {
    openapi: "3.1.0",
    info: { title: "colos control API", version, license: { name: "MIT", identifier: "MIT" } },
    servers: [{ url: "http://localhost", description: "the Unix socket control.sock in the home directory" }],
    paths: { ...Object.fromEntries(paths), ...fixedPaths },
    components: { schemas: { ...schemas.named, Problem: problemSchema } },
  };
}

const problemSchema: JsonSchema = {
  type: "object",
  description: "RFC 9457",
  properties: {
    type: { type: "string" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { enum: ["unknown", "invalid", "refused", "timeout", "busy", "ending", "internal"] },
    advice: { type: "string" },
  },
  required: ["type", "title", "status", "detail", "code"],
};

const failure: JsonSchema = {
  description: "It was not done; why is in the problem",
  content: { [problemMediaType]: { schema: { $ref: "#/components/schemas/Problem" } } },
};

const health: JsonSchema = {
  type: "object",
  properties: { status: { const: "ok" }, version: { type: "string" }, api: { type: "integer" } },
  required: ["status", "version", "api"],
};

const fixedPaths: JsonSchema = {
  [`/v${apiVersion}/health`]: {
    get: {
      operationId: "health",
      summary: "Show that the daemon answers",
      "x-effects": ["read"],
      responses: {
        "200": { description: "It answers", content: { "application/json": { schema: health } } },
        default: failure,
      },
    },
  },
  [`/v${apiVersion}/openapi.json`]: {
    get: {
      operationId: "openapi",
      summary: "Show this document",
      "x-effects": ["read"],
      responses: {
        "200": { description: "This document", content: { "application/json": { schema: { type: "object" } } } },
        default: failure,
      },
    },
  },
};

function pathItem(group: string, name: string, endpoint: Endpoint, schemas: JsonSchemas): JsonSchema {
  const input = schemas.of(endpoint.input);
  const operation = (id: string): JsonSchema => ({
    operationId: id,
    tags: [group],
    summary: endpoint.help,
    "x-effects": endpoint.effects,
    ...(endpoint.positional === undefined ? {} : { "x-positional": endpoint.positional }),
    responses: { ...success(endpoint, schemas), default: failure },
  });
  const id = `${group}_${name}`;
  const isOptional = mayBeLeftOut(endpoint.input);
  const body = input === undefined ? {} : { requestBody: { required: !isOptional, content: json(input) } };
  const isGettable = isReading(endpoint) && isOptional;
  return { ...(isGettable ? { get: operation(`${id}_get`) } : {}), post: { ...operation(id), ...body } };
}

function success(endpoint: Endpoint, schemas: JsonSchemas): JsonSchema {
  const output = schemas.of(endpoint.output);
  if (output === undefined) return { "204": { description: "Done" } };
  if (!endpoint.stream) return { "200": { description: "Done", content: json(output) } };
  return {
    "200": {
      description: 'One item per line; an early end says why in its last line, as {"problem":…}',
      content: { "application/x-ndjson": { schema: output }, "text/event-stream": { schema: output } },
    },
  };
}

function json(schema: JsonSchema): JsonSchema {
  return { "application/json": { schema } };
}
