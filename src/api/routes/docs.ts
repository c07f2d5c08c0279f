/** `/v1/openapi.json` and a page that shows it, with nothing from elsewhere. */
import type { Hono } from 'hono'
import { html } from 'hono/html'
import type { Gateway } from '../gateway.ts'
import { OPERATIONS, TAGS, openApiDocument } from '../openapi.ts'
import type { Env } from '../request.ts'

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #d0d7de}table{border-collapse:collapse;width:100%}
td{padding:.35rem .6rem;border-bottom:1px solid #eaeef2;vertical-align:top}code{font:14px ui-monospace,monospace}
.get{color:#0550ae}.post,.put{color:#116329}.delete{color:#a40e26}.m{font-weight:600;text-transform:uppercase;width:5rem}
@media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}td{border-color:#21262d}h2{border-color:#30363d}
.get{color:#79c0ff}.post,.put{color:#7ee787}.delete{color:#ffa198}a{color:#79c0ff}}`

export function docsRoutes(app: Hono<Env>, { backend }: Gateway): void {
  const document = openApiDocument()
  app.get('/v1/openapi.json', (c) => c.json(document))
  app.get('/docs', (c) =>
    c.html(
      html`<!doctype html>
        <html lang="en">
          <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width" />
            <title>Tricord API</title>
            <style>
              ${STYLE}
            </style>
          </head>
          <body>
            <h1>Tricord API</h1>
            <p>
              Version ${backend.version}, node ${backend.node}. The machine-readable form is <a href="/v1/openapi.json">openapi.json</a>.
            </p>
            ${TAGS.map((tag) => section(tag))}
          </body>
        </html>`,
    ),
  )
}

function section(tag: string) {
  const rows = OPERATIONS.filter((operation) => operation.tag === tag)
  return html`<h2>${tag}</h2>
    <table>
      ${rows.map(
        ({ method, path, summary }) =>
          html`<tr>
            <td class="m ${method}">${method}</td>
            <td><code>${path}</code></td>
            <td>${summary}</td>
          </tr>`,
      )}
    </table>`
}
