// Runs the script of /docs without a browser: what it puts into the page, as text on stdout.
// Input: {"script": …, "description": …} on stdin.
'use strict';
const input = JSON.parse(require('fs').readFileSync(0, 'utf8'));

class Node {
  constructor(tag) {
    this.tag = tag;
    this.children = [];
  }
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  text() {
    const inner = this.children.map(c => (c instanceof Node ? c.text() : String(c))).join('');
    const mark = this.id ? `#${this.id}=` : this.href ? `@${this.href.slice(1)}=` : '';
    return `${mark}${inner}\n`;
  }
}

const page = new Node('main');
global.document = { createElement: tag => new Node(tag), getElementById: () => page };
global.fetch = async path => {
  if (path !== '/openapi.json') throw new Error(`asked for ${path}`);
  return { json: async () => input.description };
};
eval(input.script);
setTimeout(() => process.stdout.write(page.text()));
