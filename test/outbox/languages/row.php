<?php
// Writes an order and its email in one transaction, and another one that is undone. Arguments: engine, database, id.
[, $engine, $database, $order] = $argv;
$email = json_encode(['from' => 'Acme <onboarding@resend.dev>', 'to' => ['foo@gmail.com'], 'subject' => $order, 'text' => 'grüße']);

if ($engine === 'sqlite') {
    $pdo = new PDO("sqlite:$database", options: [PDO::ATTR_TIMEOUT => 10]);
} else {
    $url = parse_url(str_replace('@/', '@localhost/', $database));
    parse_str($url['query'], $query);
    $pdo = new PDO("pgsql:host={$query['host']};dbname=" . substr($url['path'], 1) . ";user={$url['user']}");
}
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
$insert = 'insert into sendonce_outbox (id, payload) values (?, ?)';

$pdo->beginTransaction();
$pdo->prepare('insert into orders (id) values (?)')->execute([$order]);
$pdo->prepare($insert)->execute([$order, $email]);
$pdo->commit();

$pdo->beginTransaction();
$pdo->prepare($insert)->execute(["$order/undone", $email]);
$pdo->rollBack();
