// What an application on Node.js does with OpenAI's client; prints what it got as one JSON object.
//
//   node client.mjs BASE_URL KEY PICTURE MASK

import { createReadStream } from 'node:fs'
import OpenAI from 'openai'

const [baseURL, apiKey, picture, mask] = process.argv.slice(2)
const client = new OpenAI({ baseURL, apiKey, maxRetries: 2 })
const model = 'gpt-image-2'
const chat = (content, more = {}) =>
  client.chat.completions.create({ model, messages: [{ role: 'user', content }], ...more })

const steps = {
  async generated() {
    const made = await client.images.generate({ model, prompt: 'a lake', size: '1024x1024', n: 2 })
    return { created: made.created, urls: made.data.map((image) => image.url) }
  },
  async embedded() {
    const made = await client.images.generate({ model, prompt: 'a lake', response_format: 'b64_json' })
    return made.data.map((image) => image.b64_json)
  },
  async edited() {
    const made = await client.images.edit({
      model,
      prompt: 'make it night',
      image: [createReadStream(picture)],
      mask: createReadStream(mask),
    })
    return made.data.map((image) => image.url)
  },
  async models() {
    const names = []
    for await (const item of client.models.list()) names.push(item.id)
    return names
  },
  async chatted() {
    const done = await chat('a lake')
    return { content: done.choices[0].message.content, reason: done.choices[0].finish_reason, usage: done.usage }
  },
  async streamed() {
    const choices = []
    for await (const chunk of await chat('a lake', { stream: true })) choices.push(chunk.choices[0])
    return choices
  },
  async broken() {
    for await (const chunk of await chat('a lake, fake:fail', { stream: true })) void chunk
  },
  failed: () => client.images.generate({ model, prompt: 'a lake, fake:fail' }),
  nameless: () => client.images.generate({ model: 'dall-e-3', prompt: 'a lake' }),
  unknown: () => client.get('/tasks/img_000000000000000000000000'),
  keyless: () => new OpenAI({ baseURL, apiKey: 'sk-wrong' }).images.generate({ model, prompt: 'a lake' }),
}

const got = {}
for (const [name, step] of Object.entries(steps)) {
  try {
    got[name] = { value: await step() }
  } catch (error) {
    const { status, type, code, message } = error
    got[name] = { error: error.constructor.name, status, type, code, message }
  }
}
console.log(JSON.stringify(got))
