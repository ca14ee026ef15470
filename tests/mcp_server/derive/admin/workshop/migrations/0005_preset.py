import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('workshop', '0004_payment'),
    ]

    operations = [
        migrations.CreateModel(
            name='Preset',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('values', models.CharField(max_length=20, unique=True)),
                ('speed', models.IntegerField(default=1)),
                ('made', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('program', models.BinaryField(blank=True, editable=True)),
                ('machine', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='preset', to='workshop.machine')),
            ],
        ),
    ]
