// retry: send numbered messages with nodemailer, each again until it is acknowledged
//
//     node retry.js PORT MESSAGES
//
// Prints the number of each acknowledged message, a line each. Exit status 1 if one is not
// acknowledged after TRIES.
'use strict'

const nodemailer = require(process.env.NODEMAILER)

const CONNECTIONS = 10
const TRIES = 200

// Milliseconds between two tries.
const PAUSE = 50

const transport = nodemailer.createTransport({
	host: '127.0.0.1',
	port: Number(process.argv[2]),
	name: 'retry.example',
	ignoreTLS: true,
	pool: true,
	maxConnections: CONNECTIONS,
	socketTimeout: 20000,
})

async function deliver(number) {
	for (let tries = 1; ; tries++) {
		try {
			await transport.sendMail({
				envelope: { from: 'sender@example.org', to: 'recipient@example.org' },
				raw: `X-Id: ${number}\r\n\r\ntext of message ${number}\r\n`,
			})
			console.log(number)
			return
		} catch (error) {
			if (tries === TRIES) {
				throw error
			}
			await new Promise((resolve) => setTimeout(resolve, PAUSE))
		}
	}
}

async function main() {
	const numbers = Array.from({ length: Number(process.argv[3]) }, (_, index) => index + 1)

	await Promise.all(numbers.map(deliver))
	transport.close()
}

main().catch((error) => {
	console.error(error.message)
	process.exitCode = 1
})
