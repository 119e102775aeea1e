"""What MariaDB, Redis and a program with its own dump hold on a host, how it is saved, and who writes meanwhile."""

from __future__ import annotations

DATABASE_PASSWORD = "sesam-oeffne-dich"
SHOP = {
    "id": "shop",
    "type": "mariadb",
    "database": "shop",
    "login": "backup",
    "password": DATABASE_PASSWORD,
    "canary": "SELECT MAX(placed_at) FROM orders",
}
NOTES = {
    "id": "notes",
    "type": "custom",
    "dump": "test ! -e /srv/notes || cat /srv/notes/book",
    "into": "book",
    "check": 'echo "lines=$(wc -l < "$ROUNDSMAN_COPY/book")"',
    "restore": 'mkdir -p /srv/notes && cp "$ROUNDSMAN_COPY/book" /srv/notes/book',
}
CACHE = {"id": "cache", "type": "redis", "password": DATABASE_PASSWORD}
# Each order has three lines, in one transaction: a state in which it has not was never there.
SCHEMA = f"""
CREATE DATABASE shop; USE shop;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, placed_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6), note TEXT);
CREATE TABLE order_lines (id INT AUTO_INCREMENT PRIMARY KEY, order_id INT NOT NULL, picture BLOB,
    FOREIGN KEY (order_id) REFERENCES orders (id));
CREATE TABLE `odd ``name``; ä` (id INT PRIMARY KEY); INSERT INTO `odd ``name``; ä` VALUES (1), (2);
CREATE TABLE hits (page TEXT) ENGINE=MyISAM; INSERT INTO hits VALUES ('/');
CREATE VIEW open_orders AS SELECT * FROM orders;
CREATE TRIGGER noted BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = CONCAT('a ''quoted'' line', CHAR(10), 'ä');
CREATE EVENT tidy ON SCHEDULE EVERY 1 SECOND DO DELETE FROM orders WHERE id < 0;
DELIMITER //
CREATE PROCEDURE work(orders_to_place INT)
BEGIN
  WHILE orders_to_place > 0 DO
    START TRANSACTION;
    INSERT INTO orders () VALUES ();
    SET @id = LAST_INSERT_ID();
    INSERT INTO order_lines (order_id, picture) VALUES (@id, x'00FF27'), (@id, RANDOM_BYTES(40)), (@id, NULL);
    COMMIT;
    SET orders_to_place = orders_to_place - 1;
  END WHILE;
END //
DELIMITER ;
CREATE USER app@localhost IDENTIFIED BY 'app'; GRANT ALL ON shop.* TO app@localhost;
CREATE USER backup@localhost IDENTIFIED BY '{DATABASE_PASSWORD}';
GRANT SELECT, RELOAD, SHOW VIEW, TRIGGER, EVENT ON *.* TO backup@localhost;
CALL work(2000);
"""
LOAD = """#!/bin/sh
# With pauses, for the others on the machine. The keys live long enough that some do whenever they are counted.
for worker in 1 2; do (while sleep .1; do mariadb shop -e 'CALL work(50)'; done) & done
export REDISCLI_AUTH={password}
while sleep .1; do date >> /srv/notes/book; done &
while sleep .05; do redis-cli -r 200 lpush jobs x; redis-cli -r 20 -n 3 set short-$(date +%N) x EX 5; done > /dev/null
"""
