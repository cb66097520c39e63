//! The settings: appearance, temperature, and which model answers.
