-- Group robots of DingTalk, WeCom and Feishu carry notices too.
ALTER TABLE alerts.notices DROP CONSTRAINT notices_channel_check;
ALTER TABLE alerts.notices ADD CONSTRAINT notices_channel_check CHECK (channel IN ('email', 'webhook', 'robot'));
