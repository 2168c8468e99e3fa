<?php
// An outbox by hand. `php outbox.php shop.db 4711`: commits order 4711 with its email, then sends what is in the table.
[, $file, $order] = $argv;
$db = new PDO("sqlite:$file", options: [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('create table if not exists orders (id text primary key)');
$db->exec('create table if not exists outbox (id text primary key, payload text not null, email_id text, error text)');

$email = ['from' => 'shop@example.com', 'to' => 'ann@example.org', 'subject' => "Your order $order", 'text' => 'Thank you.'];
$db->beginTransaction();
$db->prepare('insert or ignore into orders values (?)')->execute([$order]);
$db->prepare('insert or ignore into outbox (id, payload) values (?, ?)')->execute(["receipt/$order", json_encode($email)]);
$db->commit();

// Which column to fill with what; null where nothing is known, and the same request may be sent again.
function send(string $key, string $payload): ?array
{
    $headers = ['Authorization: Bearer ' . getenv('RESEND_API_KEY'), 'Content-Type: application/json', "Idempotency-Key: $key"];
    $options = ['method' => 'POST', 'header' => $headers, 'content' => $payload, 'ignore_errors' => true, 'timeout' => 30];
    $body = @file_get_contents(getenv('RESEND_BASE_URL') . '/emails', false, stream_context_create(['http' => $options]));
    $status = $body === false ? 0 : (int) explode(' ', $http_response_header[0])[1];
    $said = json_decode((string) $body, true);
    if ($status >= 200 && $status < 300) return isset($said['id']) ? ['email_id', $said['id']] : null;
    $isOpen = in_array($status, [401, 408, 429]) || ($said['name'] ?? '') === 'concurrent_idempotent_requests';
    return $status >= 400 && $status < 500 && !$isOpen ? ['error', $body] : null;
}

$waiting = 'select id, payload from outbox where email_id is null and error is null order by rowid';
while ($rows = $db->query($waiting)->fetchAll(PDO::FETCH_ASSOC)) {
    foreach ($rows as ['id' => $id, 'payload' => $payload]) {
        [$column, $value] = send("outbox/$id", $payload) ?? [null, null];
        if ($column) $db->prepare("update outbox set $column = ? where id = ?")->execute([$value, $id]);
    }
    usleep(200_000); // what is not known to be accepted or refused is asked again, under the same key
}
