// send: send the message twice with Go's net/smtp
package main

import (
	"log"
	"net/smtp"
	"os"
)

func main() {
	message, err := os.ReadFile(os.Getenv("MESSAGE"))
	if err != nil {
		log.Fatal(err)
	}
	failed := false
	recipients := []string{"recipient@example.org", "second@example.org"}
	for i := 0; i < 2; i++ {
		err := smtp.SendMail("127.0.0.1:"+os.Getenv("SMTP_PORT"), nil, "sender@example.org", recipients, message)
		if err != nil {
			log.Print(err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
