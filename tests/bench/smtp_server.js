/*
 * smtp_server.js - nodemailer's smtp-server, which appends each message to the file `mailbox`
 *
 *     node tests/bench/smtp_server.js PORT
 */

"use strict";

const fs = require("fs");
const { SMTPServer } = require("smtp-server");

new SMTPServer({
	authOptional: true,
	disableReverseLookup: true,
	disabledCommands: ["AUTH", "STARTTLS"],
	logger: false,
	onData(stream, session, callback) {
		const chunks = [];

		stream.on("data", (chunk) => chunks.push(chunk));
		stream.on("end", () => fs.appendFile("mailbox", Buffer.concat(chunks), callback));
	},
}).listen(Number(process.argv[2]), "127.0.0.1");
