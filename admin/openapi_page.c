/* GET /docs: the API's description for people. The page is one answer without anything from
 * elsewhere, and its policy allows exactly this style and this script, by their hashes. The script
 * puts text in with append alone, never as HTML, so that no description can become markup. */
#include "admin/handlers.h"

#include "base/hash.h"

static const char style[] =
    "body{margin:0 auto;max-width:60rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;"
    "color:#222;background:#fff}\n"
    "h2{margin-top:3rem;border-bottom:1px solid #ccc}\n"
    "h3{margin-top:2rem}\n"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}\n"
    "pre{padding:.7rem;overflow-x:auto;background:#8881;border-radius:.3rem}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "td,th{padding:.2rem .6rem .2rem 0;text-align:left;vertical-align:top;"
    "border-bottom:1px solid #8883}\n"
    "a{color:#06c}\n"
    "nav ul{columns:16rem;padding:0;list-style:none}\n"
    ".quiet{color:#777}\n"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}a{color:#6af}}\n";

static const char script[] =
    "'use strict';\n"
    "const put = (tag, ...children) => {\n"
    "  const node = document.createElement(tag);\n"
    "  node.append(...children);\n"
    "  return node;\n"
    "};\n"
    "const marked = (tag, mark, ...children) => {\n"
    "  const node = put(tag, ...children);\n"
    "  node.className = mark;\n"
    "  return node;\n"
    "};\n"
    "const anchored = (tag, id, ...children) => {\n"
    "  const node = put(tag, ...children);\n"
    "  node.id = id;\n"
    "  return node;\n"
    "};\n"
    "const link = (id, text) => {\n"
    "  const node = put('a', text);\n"
    "  node.href = '#' + id;\n"
    "  return node;\n"
    "};\n"
    "const json = value => put('pre', JSON.stringify(value, null, 2));\n"
    "const table = (heads, rows) => put('table',\n"
    "  put('tr', ...heads.map(head => put('th', head))),\n"
    "  ...rows.map(row => put('tr', ...row.map(cell => put('td', ...[].concat(cell))))));\n"
    "\n"
    "const orNull = s => Array.isArray(s.type) && s.type.includes('null') ? [' or null'] : [];\n"
    "function kind(s) {\n"
    "  if (s.$ref) {\n"
    "    const name = s.$ref.split('/').pop();\n"
    "    return [link(name, name)];\n"
    "  }\n"
    "  if (s.anyOf)\n"
    "    return s.anyOf.flatMap((one, i) => i ? [' or ', ...kind(one)] : kind(one));\n"
    "  if (s.items)\n"
    "    return ['list of ', ...kind(s.items), ...orNull(s)];\n"
    "  if (s.additionalProperties)\n"
    "    return ['map of ', ...kind(s.additionalProperties), ...orNull(s)];\n"
    "  return [[].concat(s.type).join(' or ')];\n"
    "}\n"
    "const bounds = ['minLength', 'maxLength', 'minItems', 'maxItems', 'minimum', 'maximum',\n"
    "  'format', 'pattern'];\n"
    "function limits(s) {\n"
    "  const shown = bounds.filter(name => name in s && !(s[name] > Number.MAX_SAFE_INTEGER));\n"
    "  const texts = shown.map(name => `${name} ${s[name]}`);\n"
    "  return s.enum ? [`one of ${s.enum.join(', ')}`, ...texts] : texts;\n"
    "}\n"
    "function about(text, s) {\n"
    "  const more = limits(s).join(', ');\n"
    "  return [text || '', more ? marked('div', 'quiet', more) : ''];\n"
    "}\n"
    "const fields = s => table(['Member', 'Type', '', ''],\n"
    "  Object.entries(s.properties).map(([name, field]) => [\n"
    "    put('code', name), kind(field), (s.required || []).includes(name) ? 'always' : '',\n"
    "    about(field.description, field)]));\n"
    "function shape(s) {\n"
    "  if (s.properties)\n"
    "    return fields(s);\n"
    "  return put('p', ...kind(s), ' ', ...about(s.$ref ? '' : s.description, s));\n"
    "}\n"
    "\n"
    "function resolve(doc, item) {\n"
    "  if (!item.$ref)\n"
    "    return item;\n"
    "  return item.$ref.slice(2).split('/').reduce((at, name) => at[name], doc);\n"
    "}\n"
    "function content(item) {\n"
    "  return Object.entries(item.content || {}).flatMap(\n"
    "    ([type, body]) => [marked('div', 'quiet', type), shape(body.schema)]);\n"
    "}\n"
    "function scopes(op) {\n"
    "  return op.security.length ? `Keys of scope ${op.security[0].token.join(', ')}.`\n"
    "                            : 'Open to all.';\n"
    "}\n"
    "function operation(doc, path, method, op) {\n"
    "  const parts = [\n"
    "    anchored('h3', op.operationId, op.operationId),\n"
    "    put('p', put('code', `${method.toUpperCase()} ${path}`)),\n"
    "    put('p', op.summary || '', ' ', marked('span', 'quiet', scopes(op)))];\n"
    "  const given = op.parameters.map(parameter => resolve(doc, parameter));\n"
    "  if (given.length)\n"
    "    parts.push(table(['Parameter', 'In', 'Type', ''], given.map(p => [\n"
    "      put('code', p.name), p.in, kind(p.schema), about(p.description, p.schema)])));\n"
    "  if (op.requestBody)\n"
    "    parts.push(put('h4', 'Body'), ...content(op.requestBody));\n"
    "  parts.push(put('h4', 'Answers'), table(['Status', '', ''],\n"
    "    Object.entries(op.responses).map(([status, item]) => {\n"
    "      const answer = resolve(doc, item);\n"
    "      return [status, answer.description, content(answer)];\n"
    "    })));\n"
    "  return put('section', ...parts);\n"
    "}\n"
    "function schema(name, s) {\n"
    "  return put('section', anchored('h3', name, name), put('p', s.description || ''), shape(s),\n"
    "    ...(s.examples || []).map(json));\n"
    "}\n"
    "function render(doc) {\n"
    "  const groups = new Map();\n"
    "  for (const [path, methods] of Object.entries(doc.paths))\n"
    "    for (const [method, op] of Object.entries(methods)) {\n"
    "      const tag = op.tags[0];\n"
    "      groups.set(tag, [...(groups.get(tag) || []), [path, method, op]]);\n"
    "    }\n"
    "  const names = [...groups.values()].flat().map(([, , op]) => op.operationId);\n"
    "  const list = names.map(name => put('li', link(name, name)));\n"
    "  return [\n"
    "    put('p', doc.info.description),\n"
    "    put('nav', put('ul', ...list)),\n"
    "    ...[...groups].flatMap(([tag, all]) => [\n"
    "      put('h2', tag), ...all.map(one => operation(doc, ...one))]),\n"
    "    put('h2', 'Shapes'),\n"
    "    ...Object.entries(doc.components.schemas).map(([name, s]) => schema(name, s))];\n"
    "}\n"
    "const page = document.getElementById('page');\n"
    "fetch('/openapi.json').then(answer => answer.json()).then(\n"
    "  doc => page.replaceChildren(...render(doc)),\n"
    "  failure => page.replaceChildren(`The description cannot be read: ${failure}`));\n";

/* 'sha256-…', as a policy names an inline text. */
static void name_hash(struct buf *out, const char *text)
{
    uint8_t hash[SHA256_BYTES];
    hash_sha256(span_text(text), hash);
    buf_text(out, "'sha256-");
    base64_encode(span_of((const char *)hash, sizeof hash), out);
    buf_text(out, "'");
}

static void allow_page_alone(struct request *req)
{
    struct buf policy;
    buf_init(&policy, 1024);
    buf_text(&policy, "default-src 'none'; connect-src 'self'; script-src ");
    name_hash(&policy, script);
    buf_text(&policy, "; style-src ");
    name_hash(&policy, style);
    buf_text(&policy, "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    /* Fails closed: without its policy the browser gets one that runs nothing. */
    request_reply_header(req, "Content-Security-Policy",
                         policy.failed ? "default-src 'none'" : policy.ptr);
    buf_free(&policy);
}

void openapi_page_get_route(struct request *req)
{
    struct buf page;
    buf_init(&page, REPLY_MAX);
    buf_text(&page, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width\">"
                    "<title>Surehook API</title><style>");
    buf_text(&page, style);
    buf_text(&page, "</style></head><body><h1>Surehook API</h1><main id=\"page\">"
                    "<noscript>The same for programs: /openapi.json</noscript></main><script>");
    buf_text(&page, script);
    buf_text(&page, "</script></body></html>\n");
    allow_page_alone(req);
    request_reply_header(req, "Content-Type", "text/html; charset=utf-8");
    request_reply_header(req, "X-Content-Type-Options", "nosniff");
    request_reply_header(req, "Referrer-Policy", "no-referrer");
    request_reply(req, 200, &page);
}
