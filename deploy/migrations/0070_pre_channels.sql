-- MQTT topics, text messages, voice calls and services of Apprise carry notices too.
ALTER TABLE alerts.notices DROP CONSTRAINT notices_channel_check;
ALTER TABLE alerts.notices ADD CONSTRAINT notices_channel_check
    CHECK (channel IN ('email', 'webhook', 'robot', 'mqtt', 'sms', 'voice', 'apprise'));
