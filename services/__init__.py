"""The services of FireNet. They never import each other; Kafka topics and the database are the joints."""
