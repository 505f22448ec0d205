"""What is told of a failure: the message, with its diagnosis, and the script that shows it again."""
