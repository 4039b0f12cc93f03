"""Models that learn while they run; they know nothing of Kafka."""
