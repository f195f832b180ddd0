// The suite's own roles for the MyST tool: {metric} and {reference} quote a number of metrics/<chapter>.json.
import { existsSync, readFileSync } from 'node:fs';

const quote = (folder) => ({ body }) => {
  const [name, part = 'value'] = body.split(':');
  const [chapter, metric] = name.split('.');
  const file = `${folder}/${chapter}.json`;
  const found = existsSync(file) && JSON.parse(readFileSync(file, 'utf8'))[metric];
  if (!found) return [{ type: 'text', value: '[not run]' }];
  const value = part === 'interval' ? `${found.value} (${found.low} to ${found.high})` : `${found[part]}`;
  return [{ type: 'span', class: 'metric', children: [{ type: 'text', value }] }];
};
const role = (name, folder) => ({ name, body: { type: String, required: true }, run: (data) => quote(folder)(data) });

export default { name: 'roles of the suite', roles: [role('metric', 'metrics'), role('reference', 'metrics/reference')] };
