"""What the localization node publishes: messages, texts, pictures and a transform."""
