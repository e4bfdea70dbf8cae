drop table fleet.erasures, fleet.links, fleet.suppressions, fleet.preferences;
alter table fleet.installation drop column link_key;
