"""What the localization node publishes: messages, texts and a transform."""
