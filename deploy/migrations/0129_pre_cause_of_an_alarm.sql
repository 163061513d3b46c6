-- Why it burned, or why the alarm came without a fire. NULL: nobody said; so does the version before.
ALTER TABLE alerts.verifications ADD COLUMN cause text CHECK (cause IN (
    'electrical', 'open_flame', 'cooking', 'hot_work', 'arson_suspected',
    'fumes', 'insect', 'device_fault', 'works', 'pressed_by_mistake', 'unannounced_test',
    'other', 'unknown'));
