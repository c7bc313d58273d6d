BEGIN TRANSACTION;
CREATE TABLE deaths (
	number INTEGER NOT NULL, 
	deployment_id VARCHAR(64) NOT NULL, 
	generation BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	cause VARCHAR(32) NOT NULL, 
	detail TEXT NOT NULL, 
	exit_code INTEGER, 
	signal INTEGER, 
	stack TEXT NOT NULL, 
	log_tail JSON NOT NULL, 
	peak_memory BIGINT NOT NULL, 
	uptime FLOAT, 
	last_event TEXT NOT NULL, 
	PRIMARY KEY (number)
);
INSERT INTO "deaths" VALUES(1,'idle-one',1,1795274590186812842,'operator','exit: stopped',0,NULL,'','[]',30097408,3.14376616100344108417e+00,'cleanup');
INSERT INTO "deaths" VALUES(2,'buyer',1,1795274593437804718,'signal','SIGKILL while on_tick ran or was the last to run',NULL,9,'','[]',30064640,6.52254820500093046575e+00,'on_tick');
INSERT INTO "deaths" VALUES(3,'buyer',2,1795274594614978188,'shutdown','the daemon stops (exit: stopped)',0,NULL,'','[]',30068736,1.10417104900261620059e+00,'cleanup');
CREATE TABLE deployments (
	id VARCHAR(64) NOT NULL, 
	strategy VARCHAR(200) NOT NULL, 
	version VARCHAR(64) NOT NULL, 
	account VARCHAR(64) NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	symbols JSON NOT NULL, 
	timeframes JSON NOT NULL, 
	parameters JSON NOT NULL, 
	risk JSON NOT NULL, 
	memory BIGINT NOT NULL, 
	cpu FLOAT NOT NULL, 
	trusted_path VARCHAR(4096) DEFAULT '' NOT NULL, 
	created_at BIGINT NOT NULL, 
	updated_at BIGINT NOT NULL, 
	wanted VARCHAR(16) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	generation BIGINT NOT NULL, 
	restarts BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	actor TEXT NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "deployments" VALUES('buyer','buyer','1.0.0','default','paper','["EURUSD"]','["1m"]','{}','{}',268435456,0.5,'',1795274586857166132,1795274586857166132,'running','stopped',2,1,'','');
INSERT INTO "deployments" VALUES('idle-one','idle','1.0.0','default','paper','["EURUSD"]','["1m"]','{}','{}',268435456,0.5,'',1795274586988143643,1795274586988143643,'stopped','stopped',1,0,'','');
CREATE TABLE events (
	seq BIGINT NOT NULL, 
	at BIGINT NOT NULL, 
	kind VARCHAR(64) NOT NULL, 
	deployment_id VARCHAR(64) NOT NULL, 
	generation BIGINT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "events" VALUES(1,1795274584731854064,'daemon_started','',0,'pid 13226');
INSERT INTO "events" VALUES(2,1795274584736896885,'quotas','',0,'control groups: version 1 (memory, cpu, pids)');
INSERT INTO "events" VALUES(3,1795274584737014451,'sandbox','',0,'setting root, every layer');
INSERT INTO "events" VALUES(4,1795274584772156755,'strategy_added','',0,'buyer@1.0.0');
INSERT INTO "events" VALUES(5,1795274584772271817,'strategy_added','',0,'idle@1.0.0');
INSERT INTO "events" VALUES(6,1795274584772291686,'strategy_added','',0,'moving_average_crossover@1.0.0');
INSERT INTO "events" VALUES(7,1795274585805296651,'zygote_ready','',0,'awake after 1.03 s');
INSERT INTO "events" VALUES(8,1795274586350538783,'engine_ready','',0,'journal at 0');
INSERT INTO "events" VALUES(9,1795274586545149894,'feed_disconnected','',0,'feed main: nothing usable received yet');
INSERT INTO "events" VALUES(10,1795274586894155942,'created','buyer',0,'buyer@1.0.0');
INSERT INTO "events" VALUES(11,1795274586910881538,'starting','buyer',1,'');
INSERT INTO "events" VALUES(12,1795274586932687101,'warming','buyer',1,'');
INSERT INTO "events" VALUES(13,1795274586985423576,'running','buyer',1,'');
INSERT INTO "events" VALUES(14,1795274587030188232,'created','idle-one',0,'idle@1.0.0');
INSERT INTO "events" VALUES(15,1795274587042795396,'starting','idle-one',1,'');
INSERT INTO "events" VALUES(16,1795274587052604135,'warming','idle-one',1,'');
INSERT INTO "events" VALUES(17,1795274587129688386,'running','idle-one',1,'');
INSERT INTO "events" VALUES(18,1795274587146939315,'feed_healthy','',0,'feed main: no heartbeats, silence is noticed after 60 s');
INSERT INTO "events" VALUES(19,1795274590166419395,'stopping','idle-one',1,'');
INSERT INTO "events" VALUES(20,1795274590220185006,'died','idle-one',1,'operator: exit: stopped');
INSERT INTO "events" VALUES(21,1795274590220374328,'stopped','idle-one',1,'');
INSERT INTO "events" VALUES(22,1795274593462189517,'died','buyer',1,'signal: SIGKILL while on_tick ran or was the last to run');
INSERT INTO "events" VALUES(23,1795274593462430747,'backoff','buyer',1,'signal: SIGKILL while on_tick ran or was the last to run');
INSERT INTO "events" VALUES(24,1795274593510033837,'starting','buyer',2,'');
INSERT INTO "events" VALUES(25,1795274593553283934,'warming','buyer',2,'');
INSERT INTO "events" VALUES(26,1795274593638286214,'caught_up','buyer',2,'after 0.003 s');
INSERT INTO "events" VALUES(27,1795274593639119496,'running','buyer',2,'');
INSERT INTO "events" VALUES(28,1795274593677083389,'feed_disconnected','',0,'feed main: the publisher at ipc:///srv/stratd-4epx6bxq/feed-main has gone');
INSERT INTO "events" VALUES(29,1795274594588946472,'daemon_stopping','',0,'');
INSERT INTO "events" VALUES(30,1795274594589352248,'stopping','buyer',2,'the daemon stops');
INSERT INTO "events" VALUES(31,1795274594617304147,'died','buyer',2,'shutdown: the daemon stops (exit: stopped)');
INSERT INTO "events" VALUES(32,1795274594617458207,'stopped','buyer',2,'the daemon stops');
INSERT INTO "events" VALUES(33,1795274594799265040,'daemon_stopped','',0,'');
CREATE TABLE registered_paths (
	path VARCHAR(4096) NOT NULL, 
	PRIMARY KEY (path)
);
CREATE TABLE stratd_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "stratd_schema" VALUES(2);
CREATE INDEX ix_deaths_deployment_id ON deaths (deployment_id);
CREATE INDEX ix_events_deployment_id ON events (deployment_id);
COMMIT;
PRAGMA user_version = 0;
PRAGMA application_id = 0;
